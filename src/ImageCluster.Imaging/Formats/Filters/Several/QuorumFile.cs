using System.Buffers;
using ImageCluster.Imaging.Storage;
using ImageCluster.Imaging.Storage.Native;

namespace ImageCluster.Imaging.Formats.Filters.Several;

/// <summary>
/// QEMU's quorum (qemu-block-drivers(7), QAPI's BlockdevOptionsQuorum): images that hold the same. Writes go to all of them; what is read is
/// what enough of them say. A child that fails or is outvoted fails nothing as long as enough are left. Owns the children.
/// </summary>
internal sealed class QuorumFile : IBlockFile
{
    private readonly IBlockFile[] _children;
    private readonly QuorumSettings _settings;

    /// <exception cref="ImageException">The children are not of one size.</exception>
    public QuorumFile(IBlockFile[] children, QuorumSettings settings)
    {
        (_children, _settings) = (children, settings);
        if (Array.Exists(children, child => Sectors(child) != Sectors(children[0])))
        {
            throw new ImageException(ImageErrorKind.Corrupt, null, "Could not refresh total sector count: Input/output error");
        }

        if (settings.Rewrites && Array.Exists(children, static child => !child.CanWrite))
        {
            throw new ImageException(ImageErrorKind.InvalidArgument, null, "Block node is read-only");
        }
    }

    public string Name => _children[0].Name;

    public long Length => _children[0].Length;

    public bool CanWrite => Array.TrueForAll(_children, static child => child.CanWrite);

    public bool CanResize => false;

    public long AllocatedBytes => _children.Sum(static child => child.AllocatedBytes);

    public int Read(long offset, Span<byte> buffer)
    {
        int count = (int)Math.Clamp(Length - offset, 0, buffer.Length);
        if (_settings.ReadsFirst)
        {
            ReadFirst(offset, buffer[..count]);
        }
        else
        {
            ReadAgreed(offset, buffer[..count]);
        }

        return count;
    }

    public void Write(long offset, ReadOnlySpan<byte> data)
    {
        List<ImageException> failures = [];
        foreach (IBlockFile child in _children)
        {
            try
            {
                child.Write(offset, data);
            }
            catch (ImageException e)
            {
                failures.Add(e);
            }
        }

        CheckFailures(failures);
    }

    public void WriteZeroes(long offset, long length, ZeroMode mode) => All(child => child.WriteZeroes(offset, length, mode));

    /// <summary>Does nothing: what is there afterwards may differ.</summary>
    public void Discard(long offset, long length)
    {
    }

    public void SetLength(long length) => throw new ImageException(ImageErrorKind.Unsupported, Name, "Image format driver does not support resize");

    public void Allocate(long offset, long length) => All(child => child.Allocate(offset, length));

    public void Flush() => All(static child => child.Flush());

    /// <summary>A hole where all have one; elsewhere data, as far as any says.</summary>
    public (long Length, bool IsHole) NextRange(long offset, long length)
    {
        long hole = length;
        long data = 0;
        foreach (IBlockFile child in _children)
        {
            try
            {
                (long run, bool isHole) = child.NextRange(offset, length);
                (hole, data) = isHole ? (Math.Min(hole, run), data) : (hole, Math.Max(data, run));
            }
            catch (ImageException)
            {
                return (length, false);
            }
        }

        return data > 0 ? (data, false) : (hole, true);
    }

    public void Dispose() => All(static child => child.Dispose());

    // A file is as long as its whole sectors.
    private static long Sectors(IBlockFile file) => (file.Length + 511) / 512;

    private void ReadFirst(long offset, Span<byte> buffer)
    {
        for (int i = 0; ; i++)
        {
            try
            {
                _children[i].ReadPadded(offset, buffer);
                return;
            }
            catch (ImageException) when (i + 1 < _children.Length)
            {
                // The next may have it.
            }
        }
    }

    private void ReadAgreed(long offset, Span<byte> buffer)
    {
        int length = buffer.Length;
        byte[]?[] answers = new byte[_children.Length][];
        try
        {
            List<ImageException> failures = [];
            for (int i = 0; i < _children.Length; i++)
            {
                byte[] answer = ArrayPool<byte>.Shared.Rent(length);
                try
                {
                    _children[i].ReadPadded(offset, answer.AsSpan(0, length));
                    answers[i] = answer;
                }
                catch (ImageException e)
                {
                    ArrayPool<byte>.Shared.Return(answer);
                    failures.Add(e);
                }
            }

            CheckFailures(failures);
            Vote(answers, offset, length).CopyTo(buffer);
        }
        finally
        {
            foreach (byte[]? answer in answers)
            {
                if (answer is not null)
                {
                    ArrayPool<byte>.Shared.Return(answer);
                }
            }
        }
    }

    private ReadOnlySpan<byte> Vote(byte[]?[] answers, long offset, int length)
    {
        int first = Array.FindIndex(answers, static answer => answer is not null);
        Ballot votes = new();
        for (int i = first; i < answers.Length; i++)
        {
            if (answers[i] is not { } answer)
            {
                continue;
            }

            int like = first;
            while (like < i && (answers[like] is not { } earlier || !earlier.AsSpan(0, length).SequenceEqual(answer.AsSpan(0, length))))
            {
                like++;
            }

            votes.Add(like, i);
        }

        if (votes.IsUnanimous)
        {
            return answers[first].AsSpan(0, length);
        }

        if (_settings.Verifies)
        {
            int same = answers[0].AsSpan(0, length).CommonPrefixLength(answers[1].AsSpan(0, length));
            throw new DisagreementException($"quorum: offset={offset} bytes={length} contents mismatch at offset {offset + same}");
        }

        (int winner, int count) = votes.Winner;
        if (count < _settings.Threshold)
        {
            throw new ImageException(ImageErrorKind.Io, Name, Errno.Text(Errno.IO)) { Errno = Errno.IO };
        }

        if (_settings.Rewrites)
        {
            Rewrite(votes.Losers(winner), offset, answers[winner].AsSpan(0, length));
        }

        return answers[winner].AsSpan(0, length);
    }

    // What cannot be mended stays as it is: the next read has a vote again.
    private void Rewrite(IEnumerable<int> children, long offset, ReadOnlySpan<byte> data)
    {
        foreach (int child in children)
        {
            try
            {
                _children[child].Write(offset, data);
            }
            catch (ImageException)
            {
            }
        }
    }

    private void All(Action<IBlockFile> act)
    {
        List<ImageException> failures = [];
        foreach (IBlockFile child in _children)
        {
            try
            {
                act(child);
            }
            catch (ImageException e)
            {
                failures.Add(e);
            }
        }

        CheckFailures(failures);
    }

    // Of the failures, too, that of most children is told.
    private void CheckFailures(List<ImageException> failures)
    {
        if (_children.Length - failures.Count >= _settings.Threshold)
        {
            return;
        }

        Ballot votes = new();
        for (int i = 0; i < failures.Count; i++)
        {
            votes.Add(failures[i].Errno, i);
        }

        int number = votes.Winner.Value;
        throw failures.Find(failure => failure.Errno == number)!;
    }
}
