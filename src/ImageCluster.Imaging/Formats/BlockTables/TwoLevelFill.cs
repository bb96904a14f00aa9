using System.Buffers.Binary;
using System.Collections.Concurrent;
using ImageCluster.Imaging.Formats.Filling;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.BlockTables;

/// <summary>
/// Fills a new image with two levels of table. A shard is the range of one or more second-level tables: closing it writes them,
/// publishing it the first-level entries; the header, without which the file is no image, is written last.
/// </summary>
internal abstract class TwoLevelFill : BlockFill
{
    /// <summary>A cluster's place that says: zeros, stated in the table.</summary>
    protected const long StatedZero = -1;

    private const long AimedShardLength = 512L << 20;
    private const int MaxTablesPerShard = 64;

    private readonly ClusterTableShape _shape;
    private readonly ConcurrentDictionary<long, long> _tables = new();
    private readonly long _tablesPerShard;

    protected TwoLevelFill(IBlockFile file, CreateRequest request, BlockFillLayout layout, ClusterTableShape shape, bool hasBacking)
        : base(file, request, layout, TablesPerShard(shape) * shape.L2Count)
    {
        _shape = shape;
        _tablesPerShard = TablesPerShard(shape);
        HasBacking = hasBacking;
        End = layout.FirstBlock;
    }

    public override int Granularity => (int)_shape.ClusterSize;

    public override int PreferredRunLength => Math.Max(256 << 10, Granularity);

    public override bool UnwrittenIsZero => !HasBacking;

    protected bool HasBacking { get; }

    /// <summary>First host offset behind everything, bytes; known when every shard is published.</summary>
    protected long End { get; private set; }

    public override void Reserve(FillRun run, IRoom room)
    {
        if (run.ExplicitZero)
        {
            ReserveZero(run.Offset, run.Length, room);
            return;
        }

        base.Reserve(run, room);
        foreach (FillPiece piece in run.Pieces)
        {
            if (piece.Kind == FillPieceKind.Zero)
            {
                ReserveZero(run.Offset + piece.Start, piece.Length, room);
            }
        }
    }

    public override void Publish(ShardManifest manifest)
    {
        foreach (RoomExtent room in manifest.Rooms)
        {
            End = Math.Max(End, room.Start + room.Length);
        }

        byte[] entries = new byte[manifest.Tables.Count * sizeof(ulong)];
        for (int i = 0; i < manifest.Tables.Count; i++)
        {
            WriteEntry(entries.AsSpan(i * sizeof(ulong)), (ulong)manifest.Tables[i]);
        }

        File.Write(_shape.L1Offset + manifest.Shard * _tablesPerShard * sizeof(ulong), entries);
    }

    /// <summary>Payload and tables are made durable, then <see cref="WriteHeader"/> makes the file an image.</summary>
    public override void Finish()
    {
        if (File.CanResize)
        {
            File.SetLength(End);
        }

        File.Flush();
        WriteHeader();
        File.Flush();
    }

    protected override ShardManifest CloseShard(long shard, long[] places)
    {
        List<long> tables = [];
        List<RoomExtent> rooms = [.. places.Where(static place => place is not (0 or StatedZero)).Select(RoomOf)];
        long dataBytes = rooms.Sum(static room => room.Length);
        for (long first = 0; first < places.Length; first += _shape.L2Count)
        {
            long number = (shard * BlocksPerShard + first) / _shape.L2Count;
            bool isThere = _tables.TryRemove(number, out long offset);
            tables.Add(isThere ? offset : 0);
            if (isThere)
            {
                WriteTable(offset, places.AsSpan((int)first, (int)Math.Min(_shape.L2Count, places.Length - first)));
                rooms.Add(new RoomExtent(offset, _shape.L2Length));
            }
        }

        return new ShardManifest(shard, tables, Join(rooms), dataBytes);
    }

    /// <summary>Makes a range of whole clusters zeros that the image states.</summary>
    protected virtual void ReserveZero(long offset, long length, IRoom room)
    {
        for (long block = offset / _shape.ClusterSize; block <= (offset + length - 1) / _shape.ClusterSize; block++)
        {
            Put(block, static (_, _) => StatedZero, room);
        }
    }

    /// <summary>QEMU takes room for a table when the first cluster of its range is written, and in front of that cluster.</summary>
    protected override void BeforePlace(long block, IRoom room)
    {
        long table = block / _shape.L2Count;
        if (!_tables.ContainsKey(table))
        {
            lock (_tables)
            {
                _tables.GetOrAdd(table, _ => room.Reserve(_shape.L2Length, _shape.ClusterSize));
            }
        }
    }

    /// <summary>What a cluster occupies.</summary>
    protected virtual RoomExtent RoomOf(long place) => new(place, _shape.ClusterSize);

    /// <summary>The L2 entry for a cluster's place.</summary>
    protected abstract ulong EntryOf(long place);

    protected abstract void WriteHeader();

    private static long TablesPerShard(ClusterTableShape shape) =>
        Math.Clamp(AimedShardLength / (shape.L2Count * shape.ClusterSize), 1, MaxTablesPerShard);

    // As far as the disk goes: the rest of the table's room reads as zeros already.
    private void WriteTable(long offset, ReadOnlySpan<long> places)
    {
        byte[] table = new byte[places.Length * sizeof(ulong)];
        for (int i = 0; i < places.Length; i++)
        {
            WriteEntry(table.AsSpan(i * sizeof(ulong)), places[i] == 0 ? 0 : EntryOf(places[i]));
        }

        if (!File.CanResize)
        {
            File.WriteZeroes(offset, _shape.L2Length, ZeroMode.MayUnmap);
        }

        File.Write(offset, table);
    }

    private void WriteEntry(Span<byte> at, ulong entry)
    {
        if (_shape.BigEndian)
        {
            BinaryPrimitives.WriteUInt64BigEndian(at, entry);
        }
        else
        {
            BinaryPrimitives.WriteUInt64LittleEndian(at, entry);
        }
    }
}
