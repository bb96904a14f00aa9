using System.Collections.Concurrent;
using ImageCluster.Imaging.Formats.Filling;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.BlockTables;

/// <summary>
/// Fills a new image with one level of block table. A shard is the range of so many entries: closing it writes its slice of the
/// table, which is nobody else's; the header, without which the file is no image, is written last.
/// </summary>
internal abstract class BlockTableFill : IFillTarget
{
    private const long AimedShardLength = 512L << 20;
    private const int OddShardBlocks = 4096;
    private const int SectorSize = 512;

    private readonly ConcurrentDictionary<long, long[]> _shards = new();
    private readonly Lock _reserving = new();
    private readonly HashSet<long> _published = [];
    private readonly long _blocksPerShard;

    protected BlockTableFill(IBlockFile file, CreateRequest request, BlockFillLayout layout)
    {
        File = file;
        Layout = layout;
        Room = new FileRoom(layout.FirstBlock);
        _blocksPerShard = long.IsPow2(layout.BlockSize) ? Math.Max(1, AimedShardLength / layout.BlockSize) : OddShardBlocks;

        // Slices of the table meet within a sector: with direct I/O, whose unit is a sector, two processes would undo each other's.
        ShardsIndependent = request.Mode.Cache is not (CacheMode.None or CacheMode.DirectSync);
        End = layout.Fixed ? layout.FirstBlock + layout.Blocks * layout.BlockSize : layout.FirstBlock;
    }

    public long VirtualSize => Layout.VirtualSize;

    public int Granularity => SectorSize;

    public long ShardLength => _blocksPerShard * Layout.BlockSize;

    public int PreferredRunLength => 256 << 10;

    public bool ShardsIndependent { get; protected init; }

    public bool UnwrittenIsZero => true;

    public bool ReservesRoom => !Layout.Fixed;

    public IRoom Room { get; }

    protected IBlockFile File { get; }

    protected BlockFillLayout Layout { get; }

    /// <summary>First host offset behind all blocks, bytes; known when every shard is published.</summary>
    protected long End { get; private set; }

    /// <summary>Blocks in all published shards.</summary>
    protected long PublishedBlocks { get; private set; }

    public void Prepare(FillRun run)
    {
        if (!run.ExplicitZero)
        {
            SparseCutter.Cut(run, Granularity);
        }
    }

    public void Reserve(FillRun run, IRoom room)
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
                Reserve(start / Layout.BlockSize, (start + piece.Length - 1) / Layout.BlockSize, room);
            }
        }
    }

    public void Write(FillRun run)
    {
        foreach (FillPiece piece in run.Pieces)
        {
            if (piece.Kind != FillPieceKind.Data)
            {
                continue;
            }

            long offset = run.Offset + piece.Start;
            ReadOnlySpan<byte> data = run.Payload(piece);
            while (data.Length > 0)
            {
                long block = offset / Layout.BlockSize;
                long within = offset - block * Layout.BlockSize;
                int length = (int)Math.Min(data.Length, Layout.BlockSize - within);
                File.Write(HostOf(block) + within, data[..length]);
                offset += length;
                data = data[length..];
            }
        }
    }

    public ShardManifest? CloseShard(long shard)
    {
        if (Layout.Fixed)
        {
            return new ShardManifest(shard, [], [], 0);
        }

        if (!_shards.TryRemove(shard, out long[]? hosts))
        {
            return null;
        }

        long first = shard * _blocksPerShard;
        (long offset, byte[] entries) = EncodeEntries(first, hosts);
        File.Write(offset, entries);

        List<RoomExtent> rooms = [];
        long total = 0;
        foreach (long host in hosts.Where(static host => host != 0).Order())
        {
            WritePrefix(host - Layout.Prefix);
            RoomExtent room = new(host - Layout.Prefix, Layout.Prefix + Layout.BlockSize);
            total += Layout.BlockSize;
            if (rooms.Count > 0 && rooms[^1].Start + rooms[^1].Length == room.Start)
            {
                rooms[^1] = rooms[^1] with { Length = rooms[^1].Length + room.Length };
            }
            else
            {
                rooms.Add(room);
            }
        }

        return new ShardManifest(shard, [], rooms, total);
    }

    public void Publish(ShardManifest manifest)
    {
        foreach (RoomExtent room in manifest.Rooms)
        {
            End = Math.Max(End, room.Start + room.Length);
        }

        // The same manifest may come twice.
        if (_published.Add(manifest.Shard))
        {
            PublishedBlocks += manifest.DataBytes / Layout.BlockSize;
        }
    }

    public void Flush() => File.Flush();

    /// <summary>Payload and tables are made durable, then <see cref="WriteHeaders"/> makes the file an image.</summary>
    public void Finish()
    {
        if (File.CanResize)
        {
            File.SetLength(FileLength);
        }

        File.Flush();
        WriteHeaders();
        File.Flush();
    }

    public void Dispose()
    {
        File.Dispose();
        GC.SuppressFinalize(this);
    }

    /// <summary>Length that the finished file has, bytes.</summary>
    protected virtual long FileLength => End;

    /// <summary>The bytes of the table for the blocks from <paramref name="firstBlock"/> on, and where in the file they go.</summary>
    /// <param name="firstBlock">Number of the first block.</param>
    /// <param name="hosts">Where the data of each starts in the file; 0 where it has none.</param>
    protected abstract (long Offset, byte[] Entries) EncodeEntries(long firstBlock, ReadOnlySpan<long> hosts);

    /// <summary>Writes what stands in front of a block's data.</summary>
    protected virtual void WritePrefix(long offset)
    {
    }

    protected abstract void WriteHeaders();

    private void Reserve(long firstBlock, long lastBlock, IRoom room)
    {
        for (long block = firstBlock; block <= lastBlock; block++)
        {
            long shard = block / _blocksPerShard;
            long[] hosts = _shards.GetOrAdd(shard, NewShard);
            ref long host = ref hosts[block - shard * _blocksPerShard];
            lock (_reserving)
            {
                if (host == 0)
                {
                    Volatile.Write(ref host, NewBlock(room));
                }
            }
        }
    }

    private long NewBlock(IRoom room)
    {
        long host = room.Reserve(Layout.Prefix + Layout.BlockSize, Layout.Alignment) + Layout.Prefix;
        if (!File.CanResize)
        {
            // A device holds what it held before; a new file holds zeros.
            File.WriteZeroes(host, Layout.BlockSize, ZeroMode.MayUnmap);
        }

        return host;
    }

    private long[] NewShard(long shard) => new long[Math.Min(_blocksPerShard, Layout.Blocks - shard * _blocksPerShard)];

    private long HostOf(long block)
    {
        if (Layout.Fixed)
        {
            return Layout.FirstBlock + block * Layout.BlockSize;
        }

        long shard = block / _blocksPerShard;
        return Volatile.Read(ref _shards[shard][block - shard * _blocksPerShard]);
    }
}

/// <summary>Where <see cref="BlockTableFill"/> puts things. Units: bytes unless a name says otherwise.</summary>
/// <param name="VirtualSize">Size of the guest's disk.</param>
/// <param name="BlockSize">Guest bytes that one entry covers.</param>
/// <param name="FirstBlock">Host offset of the first block.</param>
internal sealed record BlockFillLayout(long VirtualSize, long BlockSize, long FirstBlock)
{
    /// <summary>Every block has its place from the start, in guest order.</summary>
    public bool Fixed { get; init; }

    /// <summary>Room for a block starts at a multiple of this.</summary>
    public long Alignment { get; init; } = 512;

    /// <summary>What stands in front of a block's data and is part of its room.</summary>
    public int Prefix { get; init; }

    /// <summary>How many blocks the disk has.</summary>
    public long Blocks => (VirtualSize + BlockSize - 1) / BlockSize;
}
