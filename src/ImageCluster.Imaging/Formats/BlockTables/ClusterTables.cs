using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.BlockTables;

/// <summary>The shape of an image with two levels of table. Units: bytes unless a name says otherwise.</summary>
/// <param name="L1Offset">Where the L1 table stands in the file.</param>
/// <param name="L1Count">Its entries.</param>
/// <param name="L2Count">Entries of each L2 table.</param>
/// <param name="ClusterSize">Guest bytes that an L2 entry covers.</param>
/// <param name="BigEndian">How entries stand in the file.</param>
internal sealed record ClusterTableShape(long L1Offset, long L1Count, long L2Count, long ClusterSize, bool BigEndian)
{
    public long L2Length => L2Count * sizeof(ulong);

    public EntryTable L1 => new("L1 table", L1Offset, L1Count, sizeof(ulong), BigEndian);

    public EntryTable L2(long offset) => new("L2 table", offset, L2Count, sizeof(ulong), BigEndian);
}

/// <summary>
/// The two levels of table by which qed and qcow find a cluster. Changes are written back second level first, so that a table is
/// durable before anything points to it.
/// </summary>
/// <param name="file">The image's file.</param>
/// <param name="shape">Its tables.</param>
/// <param name="tableOffset">Makes of an L1 entry that is not 0 the offset of an L2 table, or fails where that cannot be one.</param>
internal sealed class ClusterTables(IBlockFile file, ClusterTableShape shape, Func<ulong, long> tableOffset)
{
    private TableCache _l1 = new(file);
    private TableCache _l2 = new(file);

    public ClusterTableShape Shape => shape;

    public bool WantsWriteBack => _l2.IsFull || _l1.IsFull;

    /// <summary>The L2 entry of a cluster.</summary>
    /// <param name="cluster">Guest offset divided by the cluster size.</param>
    /// <param name="clusters">For how many clusters the answer holds: more than one where there is no L2 table, and the entry so 0.</param>
    public ulong Find(long cluster, out long clusters)
    {
        long index = cluster / shape.L2Count;
        ulong l1Entry = index < shape.L1Count ? _l1.Read(shape.L1, index) : 0;
        if (l1Entry == 0)
        {
            clusters = (index + 1) * shape.L2Count - cluster;
            return 0;
        }

        clusters = 1;
        return _l2.Read(shape.L2(tableOffset(l1Entry)), cluster % shape.L2Count);
    }

    /// <summary>Sets the L2 entry of a cluster. Not for two threads at once.</summary>
    /// <param name="cluster">Guest offset divided by the cluster size.</param>
    /// <param name="entry">Its new entry.</param>
    /// <param name="takeTable">Takes room for an L2 table where there is none, and returns its offset.</param>
    public void Set(long cluster, ulong entry, Func<long> takeTable)
    {
        long index = cluster / shape.L2Count;
        ulong l1Entry = _l1.Read(shape.L1, index);
        if (l1Entry == 0)
        {
            l1Entry = (ulong)takeTable();
            _l2.AddEmpty(shape.L2((long)l1Entry));
            _l1.Write(shape.L1, index, l1Entry);
        }

        _l2.Write(shape.L2(tableOffset(l1Entry)), cluster % shape.L2Count, entry);
    }

    /// <summary>An entry of the L1 table as it stands.</summary>
    public ulong L1Entry(long index) => _l1.Read(shape.L1, index);

    public void SetL1Entry(long index, ulong entry) => _l1.Write(shape.L1, index, entry);

    /// <summary>An entry of the L2 table at an offset, as it stands.</summary>
    public ulong L2Entry(long offset, long index) => _l2.Read(shape.L2(offset), index);

    public void SetL2Entry(long offset, long index, ulong entry) => _l2.Write(shape.L2(offset), index, entry);

    /// <summary>Drops all that is in memory: the tables in the file have been replaced.</summary>
    public void Forget() => (_l1, _l2) = (new TableCache(file), new TableCache(file));

    /// <summary>Writes what changed; durable on return. Called when the data that entries point to is durable.</summary>
    public void WriteBack()
    {
        if (_l2.IsDirty)
        {
            _l2.WriteBack();
            file.Flush();
        }

        if (_l1.IsDirty)
        {
            _l1.WriteBack();
            file.Flush();
        }
    }
}
