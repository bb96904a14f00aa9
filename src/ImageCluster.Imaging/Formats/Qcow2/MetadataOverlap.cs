namespace ImageCluster.Imaging.Formats.Qcow2;

/// <summary>
/// Finds out whether a range of the file that is to be written holds metadata: only a corrupt image leads a writer there. Looks at
/// the same structures as QEMU does by default, by the same names.
/// </summary>
internal sealed class MetadataOverlap(Metadata metadata, Refcounts refcounts)
{
    private readonly Layout _layout = metadata.Layout;
    private HashSet<long>? _tables;

    /// <summary>An L2 table was added at this host offset.</summary>
    public void AddTable(long offset) => _tables?.Add(offset);

    /// <summary>No active L1 entry names the L2 table at this host offset any more.</summary>
    public void RemoveTable(long offset) => _tables?.Remove(offset);

    /// <summary>What the clusters of the range overlap with; null where nothing.</summary>
    /// <param name="offset">Host offset, bytes.</param>
    /// <param name="length">Bytes.</param>
    /// <param name="ignoreTables">An active L2 table is what is to be written.</param>
    public string? Find(long offset, long length, bool ignoreTables = false)
    {
        Header header = metadata.Header;
        long start = offset & -_layout.ClusterSize;
        long end = (offset + length + _layout.ClusterSize - 1) & -_layout.ClusterSize;
        if (start == 0)
        {
            return "qcow2_header";
        }

        if (Overlaps(header.L1Offset, (long)header.L1Entries * sizeof(ulong)))
        {
            return "active L1 table";
        }

        if (Overlaps(header.RefcountTableOffset, (long)header.RefcountTableClusters << _layout.ClusterBits))
        {
            return "refcount table";
        }

        if (header.SnapshotCount > 0 && Overlaps(header.SnapshotsOffset, 1))
        {
            return "snapshot table";
        }

        if (header.Bitmaps is { } bitmaps && Overlaps(bitmaps.DirectoryOffset, bitmaps.DirectorySize))
        {
            return "bitmap directory";
        }

        HashSet<long> tables = _tables ??= CollectTables();
        for (long cluster = start; cluster < end; cluster += _layout.ClusterSize)
        {
            if (!ignoreTables && tables.Contains(cluster))
            {
                return "active L2 table";
            }

            if (refcounts.IsBlock(cluster))
            {
                return "refcount block";
            }
        }

        return null;

        bool Overlaps(long from, long bytes) => from < end && from + bytes > start;
    }

    private HashSet<long> CollectTables()
    {
        HashSet<long> tables = [];
        foreach (ulong entry in metadata.L1)
        {
            if ((entry & Layout.OffsetMask) != 0)
            {
                tables.Add((long)(entry & Layout.OffsetMask));
            }
        }

        return tables;
    }
}
