namespace ImageCluster.Imaging.Formats.Qcow2;

/// <summary>
/// Finds out whether an image's tables were made ahead of its data (preallocation=metadata): then clusters that the tables call data
/// may be holes of the file. The rule is QEMU's (qcow2_detect_metadata_preallocation): clearly more clusters are counted as used than
/// the file occupies.
/// </summary>
internal static class PreallocationDetector
{
    public static bool Detect(Metadata metadata)
    {
        long clusterSize = metadata.Layout.ClusterSize;
        long occupied = metadata.File.AllocatedBytes / clusterSize;
        long threshold = Math.Max(occupied * 10 / 9, occupied + 2);
        long clusters = RefcountMath.DivideUp(metadata.File.Length, clusterSize);
        if (clusters < threshold)
        {
            return false;
        }

        Refcounts refcounts = new(metadata);
        long used = 0;
        for (long cluster = 0; cluster < clusters && used < threshold; cluster++)
        {
            used += refcounts.Get(cluster) != 0 ? 1 : 0;
        }

        return used >= threshold;
    }
}
