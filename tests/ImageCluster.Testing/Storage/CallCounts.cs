namespace ImageCluster.Testing.Storage;

/// <summary>How often each call was made, over all the files that share this.</summary>
public sealed class CallCounts
{
    private readonly long[] _counts = new long[Enum.GetValues<StorageCall>().Length];
    private long _written;

    public long this[StorageCall call] => Interlocked.Read(ref _counts[(int)call]);

    /// <summary>Bytes of <see cref="StorageCall.Write"/>.</summary>
    public long BytesWritten => Interlocked.Read(ref _written);

    /// <summary>Counts one call and returns its number among its kind, from 1.</summary>
    public long Add(StorageCall call, long bytes = 0)
    {
        Interlocked.Add(ref _written, bytes);
        return Interlocked.Increment(ref _counts[(int)call]);
    }
}
