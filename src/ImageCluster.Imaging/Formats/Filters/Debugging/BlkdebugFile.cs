using ImageCluster.Imaging.Storage;
using ImageCluster.Imaging.Storage.Native;

namespace ImageCluster.Imaging.Formats.Filters.Debugging;

/// <summary>A file whose requests fail where rules say so. Owns the file.</summary>
internal sealed class BlkdebugFile : IBlockFile, IDebugEvents
{
    private readonly IBlockFile _file;
    private readonly BlkdebugRules _rules;

    /// <param name="file">The file.</param>
    /// <param name="name">What messages call the node.</param>
    /// <param name="rules">When requests fail.</param>
    public BlkdebugFile(IBlockFile file, string name, BlkdebugRules rules)
    {
        (_file, Name, _rules) = (file, name, rules);
        rules.Raise("none");
    }

    public string Name { get; }

    /// <summary>The file below.</summary>
    public IBlockFile File => _file;

    public long Length => _file.Length;

    public bool CanWrite => _file.CanWrite;

    public bool CanResize => _file.CanResize;

    public bool HasFixedSize => _file.HasFixedSize;

    /// <summary>As with QEMU, it does not tell.</summary>
    public long AllocatedBytes => _file.Length;

    public int Read(long offset, Span<byte> buffer)
    {
        Check(BlkdebugAccess.Read, offset, buffer.Length);
        return _file.Read(offset, buffer);
    }

    public void Write(long offset, ReadOnlySpan<byte> data)
    {
        _rules.Raise("pwritev");
        Check(BlkdebugAccess.Write, offset, data.Length);
        _file.Write(offset, data);
        _rules.Raise("pwritev_done");
    }

    public void WriteZeroes(long offset, long length, ZeroMode mode)
    {
        _rules.Raise("pwritev_zero");
        Check(BlkdebugAccess.WriteZeroes, offset, length);
        _file.WriteZeroes(offset, length, mode);
        _rules.Raise("pwritev_done");
    }

    public void Discard(long offset, long length)
    {
        Check(BlkdebugAccess.Discard, offset, length);
        _file.Discard(offset, length);
    }

    public void SetLength(long length) => _file.SetLength(length);

    public void Allocate(long offset, long length) => _file.Allocate(offset, length);

    public void Flush()
    {
        _rules.Raise("flush_to_os");
        _rules.Raise("flush_to_disk");
        Check(BlkdebugAccess.Flush, 0, 0);
        _file.Flush();
    }

    public (long Length, bool IsHole) NextRange(long offset, long length)
    {
        Check(BlkdebugAccess.BlockStatus, offset, length);
        return _file.NextRange(offset, length);
    }

    public void Raise(string name) => _rules.Raise(name);

    public void Dispose() => _file.Dispose();

    private void Check(BlkdebugAccess access, long offset, long length)
    {
        int errno = _rules.Check(access, offset, length);
        if (errno != 0)
        {
            throw new ImageException(errno == Errno.NoSpc ? ImageErrorKind.NoSpace : ImageErrorKind.Io, _file.Name, Errno.Text(errno)) { Errno = errno };
        }
    }
}
