namespace ImageCluster.Imaging.Storage.Http;

/// <summary>A chunk of a remote file: in memory, or on its way. What changes is guarded by the cache's lock.</summary>
internal sealed class CachedChunk(long index, byte[] buffer, int length)
{
    public long Index { get; } = index;

    public byte[] Buffer { get; } = buffer;

    /// <summary>Bytes: a whole chunk but at the file's end.</summary>
    public int Length { get; } = length;

    public ChunkState State { get; set; }

    /// <summary>Readers that wait for it or copy out of it.</summary>
    public int Users { get; set; }

    /// <summary>Higher for what was used later.</summary>
    public long LastUse { get; set; }

    /// <summary>Why it could not be loaded.</summary>
    public Exception? Failure { get; set; }
}

internal enum ChunkState
{
    /// <summary>Waits for a thread that asks for it.</summary>
    Wanted,

    /// <summary>Is being asked for.</summary>
    Loading,

    Ready,

    Failed,
}
