using System.Runtime.ExceptionServices;

namespace ImageCluster.Imaging.Storage.ObjectStore;

/// <summary>
/// One object of a new image, not yet there. Its first use decides: whole parts go straight up (<see cref="IPartFile"/>), anything else is written to a
/// file of this machine that is uploaded when the image is finished. Closing it does neither: see <see cref="Publish"/> and <see cref="GiveUp"/>.
/// </summary>
internal sealed class ObjectTargetFile(string name, long length, ObjectTarget target, S3Channel channel) : IBlockFile, IPartFile
{
    // Parts are put together in memory, one for each thread: larger ones are not worth that.
    private const long LargestPartInMemory = 32 << 20;
    private const long Megabyte = 1 << 20;
    private const long MaxObject = 5L << 40;

    private readonly Lock _gate = new();
    private IBlockFile? _staged;
    private MultipartUpload? _upload;
    private bool _published;
    private bool _discarded;

    public string Name => name;

    public long Length => Staged?.Length ?? length;

    public bool CanWrite => true;

    public bool CanResize => true;

    public long AllocatedBytes => Staged?.AllocatedBytes ?? 0;

    public int PartLength => Staged is null && PartLengthFor(length) is <= LargestPartInMemory and var part ? (int)part : 0;

    private IBlockFile? Staged
    {
        get
        {
            lock (_gate)
            {
                return _staged;
            }
        }
    }

    public int Read(long offset, Span<byte> buffer) => Local().Read(offset, buffer);

    public void Write(long offset, ReadOnlySpan<byte> data) => Local().Write(offset, data);

    public void WriteZeroes(long offset, long length, ZeroMode mode) => Local().WriteZeroes(offset, length, mode);

    public void Discard(long offset, long length) => Local().Discard(offset, length);

    public void SetLength(long length) => Local().SetLength(length);

    // Space on this machine is not the object's.
    public void Allocate(long offset, long length) => Local().WriteZeroes(offset, length, ZeroMode.MayUnmap);

    public void Flush()
    {
    }

    public (long Length, bool IsHole) NextRange(long offset, long length) => Local().NextRange(offset, length);

    public void WritePart(long part, ReadOnlyMemory<byte> bytes) => Upload().Put(checked((int)part + 1), UploadBody.Of(bytes), CancellationToken.None);

    public void Dispose()
    {
        // The image's file is opened and closed while it is made; the object outlives that.
    }

    /// <summary>Uploads what is not yet there and makes the object.</summary>
    public void Publish(CancellationToken cancel)
    {
        long whole = Length;
        long partLength = PartLengthFor(whole);
        IBlockFile? staged = Staged;
        bool isNew = MustBeNew(cancel);
        try
        {
            if (_upload is null && whole <= partLength)
            {
                UploadBody body = staged is null ? UploadBody.Zeros(whole) : UploadBody.Of(staged, 0, whole);
                MultipartUpload.PutWhole(channel, body, target.Mark, isNew, cancel);
            }
            else
            {
                PublishParts(whole, partLength, staged, isNew, cancel);
            }
        }
        catch (ImageException e) when (isNew && e.Kind == ImageErrorKind.Exists)
        {
            // The answer to an attempt that succeeded may have been lost: then what is there is ours.
            if (target.Mark is null || ObjectMark.Find(channel, cancel).Mark != target.Mark)
            {
                throw Taken();
            }
        }

        _published = true;
    }

    // Looked at before anything is sent, and left to the store at the end: somebody may come in between.
    private bool MustBeNew(CancellationToken cancel)
    {
        if (target.Replaces)
        {
            return false;
        }

        (bool exists, string? mark) = ObjectMark.Find(channel, cancel);
        return !exists || (mark is not null && mark == target.Mark ? false : throw Taken());
    }

    private ImageException Taken() => new(ImageErrorKind.Exists, Name, "An object of the target's name is there");

    /// <summary>Gives up what is not published, and lets go of what is.</summary>
    public void GiveUp()
    {
        lock (_gate)
        {
            if (_discarded)
            {
                return;
            }

            _discarded = true;
            if (!_published)
            {
                _upload?.Abort();
            }

            _staged?.Dispose();
            channel.Dispose();
        }
    }

    // Parts are at least as long as asked for, and long enough for the object to have no more of them than may be.
    private long PartLengthFor(long whole)
    {
        long needed = (whole + MultipartUpload.MaxParts - 1) / MultipartUpload.MaxParts;
        return Math.Max(Math.Max(channel.Settings.PartLength, 5 * Megabyte), (needed + Megabyte - 1) / Megabyte * Megabyte);
    }

    private void PublishParts(long whole, long partLength, IBlockFile? staged, bool isNew, CancellationToken cancel)
    {
        if (whole > MaxObject)
        {
            throw new ImageException(ImageErrorKind.Limit, Name, $"An object has at most {MaxObject:#,0} bytes, the image has {whole:#,0}");
        }

        MultipartUpload upload = Upload();
        int count = checked((int)((whole + partLength - 1) / partLength));
        UploadBody zeros = UploadBody.Zeros(partLength);
        InParallel(count, (part, stop) =>
        {
            long start = part * partLength;
            long size = Math.Min(partLength, whole - start);
            if (!upload.Has(part + 1))
            {
                UploadBody body = staged is not null ? UploadBody.Of(staged, start, size) : size == partLength ? zeros : UploadBody.Zeros(size);
                upload.Put(part + 1, body, stop);
            }
        }, cancel);
        upload.Complete(count, whole, isNew, cancel);
    }

    private void InParallel(int count, Action<int, CancellationToken> action, CancellationToken cancel)
    {
        using CancellationTokenSource stop = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        int next = -1;
        Exception? failure = null;
        void Work()
        {
            try
            {
                for (int item = Interlocked.Increment(ref next); item < count; item = Interlocked.Increment(ref next))
                {
                    stop.Token.ThrowIfCancellationRequested();
                    action(item, stop.Token);
                }
            }
            catch (Exception e)
            {
                // The first failure is the one to report; later ones follow from it.
                Interlocked.CompareExchange(ref failure, e, null);
                stop.Cancel();
            }
        }

        Thread[] threads = [.. Enumerable.Range(1, Math.Min(count, channel.Settings.ParallelParts)).Select(i => new Thread(Work) { IsBackground = true, Name = $"upload-{i}" })];
        Array.ForEach(threads, static thread => thread.Start());
        Array.ForEach(threads, static thread => thread.Join());
        if (failure is not null)
        {
            ExceptionDispatchInfo.Throw(failure);
        }
    }

    private MultipartUpload Upload()
    {
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_discarded, this);
            return _upload ??= MultipartUpload.Begin(channel, target.Mark, CancellationToken.None);
        }
    }

    private IBlockFile Local()
    {
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_discarded, this);
            return _upload is null || _staged is not null
                ? _staged ??= target.Stage(length)
                : throw new InvalidOperationException("The object is being uploaded in parts.");
        }
    }
}
