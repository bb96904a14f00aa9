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
        try
        {
            return CountsMoreThanThereIs(metadata);
        }
        catch (ImageException)
        {
            // What cannot be counted is no hindrance to reading.
            return false;
        }
    }

    private static bool CountsMoreThanThereIs(Metadata metadata)
    {
        long clusterSize = metadata.Layout.ClusterSize;
        long occupied = metadata.File.AllocatedBytes / clusterSize;
        long threshold = Math.Max(occupied * 10 / 9, occupied + 2);
        long clusters = RefcountMath.DivideUp(metadata.File.Length, clusterSize);
        if (clusters < threshold)
        {
            return false;
        }

        // By the blocks that are there: the file may be far longer than what is counted in it.
        Refcounts refcounts = new(metadata);
        int blockBits = metadata.Layout.RefcountBlockBits;
        long used = 0;
        for (long index = refcounts.NextBlock(0); index <= (clusters - 1) >> blockBits && used < threshold; index = refcounts.NextBlock(index + 1))
        {
            used += UsedIn(refcounts.Block(index), metadata.Layout.RefcountOrder, (int)Math.Min(clusters - (index << blockBits), 1L << blockBits));
        }

        return used >= threshold;
    }

    private static int UsedIn(ReadOnlySpan<byte> block, int order, int length)
    {
        int used = 0;
        for (int at = block.IsEmpty ? length : RefcountArray.IndexOfNonzero(block, order, 0, length); at < length;)
        {
            int end = RefcountArray.IndexOfZero(block, order, at, length);
            used += end - at;
            at = RefcountArray.IndexOfNonzero(block, order, end, length);
        }

        return used;
    }
}
