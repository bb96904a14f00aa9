namespace ImageCluster.Imaging.Formats.Qcow;

/// <summary>An L2 entry for a compressed cluster: its length above its host offset, and the highest bit set.</summary>
internal static class QcowEntry
{
    public const ulong CompressedFlag = 1UL << 63;

    public static bool IsCompressed(ulong entry) => (entry & CompressedFlag) != 0;

    /// <param name="offset">Host offset, bytes; no alignment.</param>
    /// <param name="length">Bytes, less than a cluster.</param>
    /// <param name="clusterBits">Of the image.</param>
    public static ulong Compressed(long offset, int length, int clusterBits) => CompressedFlag | (ulong)length << (63 - clusterBits) | (ulong)offset;

    public static (long Offset, int Length) Decode(ulong entry, int clusterBits) =>
        ((long)(entry & ((1UL << (63 - clusterBits)) - 1)), (int)(entry >> (63 - clusterBits)) & ((1 << clusterBits) - 1));
}
