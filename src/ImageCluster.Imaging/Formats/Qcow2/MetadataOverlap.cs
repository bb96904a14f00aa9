namespace ImageCluster.Imaging.Formats.Qcow2;

/// <summary>
/// Finds out whether a range of the file that is to be written holds metadata: only a corrupt image leads a writer there. Looks at
/// the same structures as QEMU does by default, by the same names, and at the bitmaps' tables, which QEMU writes anew each time.
/// </summary>
internal sealed class MetadataOverlap(Metadata metadata, Refcounts refcounts)
{
    private readonly Layout _layout = metadata.Layout;
    private HashSet<long>? _tables;

    // What the header named when it was last looked at, and where that stands.
    private (long Table, int Count) _knownSnapshots;
    private List<Place> _ofSnapshots = [];
    private BitmapsPointer? _knownBitmaps;
    private List<Place> _ofBitmaps = [];

    /// <summary>An L2 table was added at this host offset.</summary>
    public void AddTable(long offset) => _tables?.Add(offset);

    /// <summary>No active L1 entry names the L2 table at this host offset any more.</summary>
    public void RemoveTable(long offset) => _tables?.Remove(offset);

    /// <summary>Refuses to write where metadata stands. The image is marked corrupt, as QEMU does.</summary>
    /// <inheritdoc cref="Find" path="/param"/>
    /// <exception cref="ImageException">It does.</exception>
    public void Require(long offset, long length, MetadataKind own = MetadataKind.None)
    {
        if (Find(offset, length, own) is { } what)
        {
            throw metadata.Signal($"Preventing invalid write on metadata (overlaps with {what})");
        }
    }

    /// <summary>What the clusters of the range overlap with; null where nothing.</summary>
    /// <param name="offset">Host offset, bytes.</param>
    /// <param name="length">Bytes.</param>
    /// <param name="own">What is to be written itself, and may stand there.</param>
    public string? Find(long offset, long length, MetadataKind own = MetadataKind.None)
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

        HashSet<long> tables = _tables ??= CollectTables();
        for (long cluster = start; cluster < end && own != MetadataKind.L2Table; cluster += _layout.ClusterSize)
        {
            if (tables.Contains(cluster))
            {
                return "active L2 table";
            }
        }

        for (long cluster = start; cluster < end && own != MetadataKind.RefcountBlock; cluster += _layout.ClusterSize)
        {
            if (refcounts.IsBlock(cluster))
            {
                return "refcount block";
            }
        }

        if (Overlaps(header.RefcountTableOffset, (long)header.RefcountTableClusters << _layout.ClusterBits))
        {
            return "refcount table";
        }

        return (header.SnapshotCount == 0 ? null : AnyOf(OfSnapshots(header))) ?? (header.Bitmaps is null ? null : AnyOf(OfBitmaps(header)));

        bool Overlaps(long from, long bytes) => from < end && from + bytes > start;

        string? AnyOf(List<Place> places)
        {
            foreach (Place place in places)
            {
                if (Overlaps(place.Offset, place.Length))
                {
                    return place.Name;
                }
            }

            return null;
        }
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

    // The table of snapshots, and the L1 table of each. What cannot be read of them is nobody's.
    private List<Place> OfSnapshots(Header header)
    {
        (long Table, int Count) asked = (header.SnapshotsOffset, header.SnapshotCount);
        if (_knownSnapshots == asked)
        {
            return _ofSnapshots;
        }

        const string TableName = "snapshot table";
        try
        {
            SnapshotTableContent content = SnapshotTable.Load(metadata.File, header, forCheck: true, null);
            _ofSnapshots = [new(header.SnapshotsOffset, content.Length, TableName), .. content.Snapshots.Select(static one => new Place(one.L1Offset, one.L1Entries * (long)sizeof(ulong), "inactive L1 table"))];
        }
        catch (ImageException)
        {
            _ofSnapshots = [new(header.SnapshotsOffset, 1, TableName)];
        }

        _knownSnapshots = asked;
        return _ofSnapshots;
    }

    private List<Place> OfBitmaps(Header header)
    {
        if (_knownBitmaps == header.Bitmaps)
        {
            return _ofBitmaps;
        }

        _knownBitmaps = header.Bitmaps;
        BitmapsPointer pointer = header.Bitmaps.GetValueOrDefault();
        _ofBitmaps = [new(pointer.DirectoryOffset, pointer.DirectorySize, "bitmap directory")];
        try
        {
            _ofBitmaps.AddRange(BitmapDirectory.Read(metadata.File, header).Where(BitmapTable.IsReadable).Select(static one => new Place(one.TableOffset, one.TableEntries * (long)sizeof(ulong), "bitmap table")));
        }
        catch (ImageException)
        {
            // Who wants the bitmaps is told.
        }

        return _ofBitmaps;
    }

    private readonly record struct Place(long Offset, long Length, string Name);
}

/// <summary>Metadata that stands in clusters of which a map is kept.</summary>
internal enum MetadataKind
{
    None,
    L2Table,
    RefcountBlock,
}
