namespace ImageCluster.Imaging.Compression;

/// <summary>What both Zstandard codecs say of bad frames.</summary>
internal static class ZstdFrames
{
    public static ImageException NoWholeFrame(string? file, int done, int wanted) => ClusterCodecs.Damaged(file, done == 0
        ? "there is no whole zstd frame"
        : $"the zstd frames end after {done:#,0} of {wanted:#,0} bytes");

    public static ImageException DamagedFrame(string? file) => ClusterCodecs.Damaged(file, "the zstd frame is damaged or longer than the cluster");
}
