using System.Collections.Concurrent;
using ImageCluster.Imaging.Formats.Filling;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.BlockTables;

/// <summary>
/// Fills a new image that is cut into equal blocks (clusters). Remembers, shard by shard, where each block was put; closing a shard
/// hands that to the format, which writes its tables.
/// </summary>
internal abstract class BlockFill : IFillTarget
{
    private readonly ConcurrentDictionary<long, long[]> _shards = new();
    private readonly Lock _reserving = new();

    protected BlockFill(IBlockFile file, CreateRequest request, BlockFillLayout layout, long blocksPerShard)
    {
        File = file;
        Layout = layout;
        BlocksPerShard = blocksPerShard;
        Room = new FileRoom(layout.FirstBlock);

        // Tables of two shards meet within a sector: with direct I/O, whose unit is a sector, two processes would undo each other's.
        ShardsIndependent = request.Mode.Cache is not (CacheMode.None or CacheMode.DirectSync);
    }

    public long VirtualSize => Layout.VirtualSize;

    public virtual int Granularity => 512;

    public long ShardLength => BlocksPerShard * Layout.BlockSize;

    public virtual int PreferredRunLength => 256 << 10;

    public bool ShardsIndependent { get; protected init; }

    /// <summary>Not where every block has its place on a device, which holds what it held before.</summary>
    public virtual bool UnwrittenIsZero => !Layout.Fixed || File.CanResize;

    public bool ReservesRoom => !Layout.Fixed;

    public IRoom Room { get; }

    protected IBlockFile File { get; }

    protected BlockFillLayout Layout { get; }

    protected long BlocksPerShard { get; }

    public virtual void Prepare(FillRun run)
    {
        if (!run.ExplicitZero)
        {
            SparseCutter.Cut(run, Granularity);
        }
    }

    public virtual void Reserve(FillRun run, IRoom room)
    {
        if (Layout.Fixed)
        {
            return;
        }

        foreach (FillPiece piece in run.Pieces)
        {
            if (piece.Kind == FillPieceKind.Data)
            {
                long start = run.Offset + piece.Start;
                ReserveBlocks(start, piece.Length, room);
            }
        }
    }

    public virtual void Write(FillRun run)
    {
        if (run.ExplicitZero)
        {
            WriteZeroes(run.Offset, run.Length);
            return;
        }

        foreach (FillPiece piece in run.Pieces)
        {
            if (piece.Kind == FillPieceKind.Data)
            {
                WriteData(run.Offset + piece.Start, run.Payload(piece));
            }
            else if (piece.Kind == FillPieceKind.Zero)
            {
                WriteZeroes(run.Offset + piece.Start, piece.Length);
            }
        }
    }

    public ShardManifest? CloseShard(long shard) =>
        Layout.Fixed ? new ShardManifest(shard, [], [], 0)
        : _shards.TryRemove(shard, out long[]? places) ? CloseShard(shard, places)
        : null;

    public abstract void Publish(ShardManifest manifest);

    public void Flush() => File.Flush();

    public abstract void Finish();

    public virtual void Dispose()
    {
        File.Dispose();
        GC.SuppressFinalize(this);
    }

    /// <summary>Writes the tables of a shard.</summary>
    /// <param name="shard">The shard's number.</param>
    /// <param name="places">For each block where its data start in the file, or what else <see cref="Put"/> was given; 0 for one without.</param>
    protected abstract ShardManifest CloseShard(long shard, long[] places);

    /// <summary>Gives every block of a range a place that reads as zeros until it is written.</summary>
    protected void ReserveBlocks(long offset, long length, IRoom room)
    {
        for (long block = offset / Layout.BlockSize; block <= (offset + length - 1) / Layout.BlockSize; block++)
        {
            Put(block, static (fill, room) => fill.NewBlock(room), room);
        }
    }

    /// <summary>Called before a block is given a place.</summary>
    protected virtual void BeforePlace(long block, IRoom room)
    {
    }

    /// <summary>Writes guest bytes to their place.</summary>
    protected virtual void WriteBytes(long offset, long host, ReadOnlySpan<byte> data) => File.Write(host, data);

    /// <summary>Remembers a place for a block that has none yet.</summary>
    protected void Put(long block, Func<BlockFill, IRoom, long> place, IRoom room)
    {
        BeforePlace(block, room);
        long shard = block / BlocksPerShard;
        long[] places = _shards.GetOrAdd(shard, NewShard);
        ref long entry = ref places[block - shard * BlocksPerShard];
        lock (_reserving)
        {
            if (entry == 0)
            {
                Volatile.Write(ref entry, place(this, room));
            }
        }
    }

    /// <summary>Takes room for a block whose bytes read as zeros until they are written.</summary>
    protected long NewBlock(IRoom room)
    {
        long host = room.Reserve(Layout.Prefix + Layout.BlockSize, Layout.Alignment) + Layout.Prefix;
        if (!File.CanResize)
        {
            // A device holds what it held before; a new file holds zeros.
            File.WriteZeroes(host, Layout.BlockSize, ZeroMode.MayUnmap);
        }

        return host;
    }

    /// <summary>Ranges of the file, in order and joined.</summary>
    protected static List<RoomExtent> Join(IEnumerable<RoomExtent> ranges)
    {
        List<RoomExtent> joined = [];
        foreach (RoomExtent room in ranges.OrderBy(static room => room.Start))
        {
            if (joined.Count > 0 && joined[^1].Start + joined[^1].Length == room.Start)
            {
                joined[^1] = joined[^1] with { Length = joined[^1].Length + room.Length };
            }
            else
            {
                joined.Add(room);
            }
        }

        return joined;
    }

    /// <summary>Writes guest bytes, which may go over several blocks.</summary>
    protected void WriteData(long offset, ReadOnlySpan<byte> data)
    {
        while (data.Length > 0)
        {
            long block = offset / Layout.BlockSize;
            long within = offset - block * Layout.BlockSize;
            int length = (int)Math.Min(data.Length, Layout.BlockSize - within);
            WriteBytes(offset, HostOf(block) + within, data[..length]);
            offset += length;
            data = data[length..];
        }
    }

    // Elsewhere a zero piece either has no place or one that reads as zeros already.
    private void WriteZeroes(long offset, long length)
    {
        if (Layout.Fixed)
        {
            File.WriteZeroes(Layout.FirstBlock + offset, length, ZeroMode.MayUnmap);
        }
    }

    private long[] NewShard(long shard) => new long[Math.Min(BlocksPerShard, Layout.Blocks - shard * BlocksPerShard)];

    private long HostOf(long block)
    {
        if (Layout.Fixed)
        {
            return Layout.FirstBlock + block * Layout.BlockSize;
        }

        long shard = block / BlocksPerShard;
        return Volatile.Read(ref _shards[shard][block - shard * BlocksPerShard]);
    }
}
