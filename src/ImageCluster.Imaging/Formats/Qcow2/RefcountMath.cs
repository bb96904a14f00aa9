namespace ImageCluster.Imaging.Formats.Qcow2;

/// <summary>How much room refcounts take (QEMU's qcow2_refcount_metadata_size).</summary>
internal static class RefcountMath
{
    /// <summary>
    /// Refcount blocks, and clusters of refcount table, that <paramref name="clusters"/> clusters need, those that the blocks and the table
    /// take themselves included.
    /// </summary>
    /// <param name="layout">The image's geometry.</param>
    /// <param name="clusters">Clusters to be counted, refcount structures left out.</param>
    /// <param name="generous">With room for half as much refcount table again, so that it need not grow again soon.</param>
    public static (long Blocks, long TableClusters) Needed(Layout layout, long clusters, bool generous)
    {
        long table = 0;
        long blocks = 0;
        long total = 0;
        while (true)
        {
            long last = total;
            blocks = DivideUp(clusters + table + blocks, layout.RefcountBlockEntries);
            table = DivideUp(blocks, layout.ClusterSize / sizeof(ulong));
            total = clusters + blocks + table;
            if (total != last)
            {
                continue;
            }

            if (!generous)
            {
                return (blocks, table);
            }

            generous = false;
            clusters += DivideUp(table, 2);
            total = 0;
        }
    }

    public static long DivideUp(long value, long by) => (value + by - 1) / by;
}
