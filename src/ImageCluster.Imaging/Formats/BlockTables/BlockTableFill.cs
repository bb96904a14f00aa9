using ImageCluster.Imaging.Formats.Filling;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.BlockTables;

/// <summary>
/// Fills a new image with one level of block table. A shard is the range of so many entries: closing it writes its slice of the
/// table, which is nobody else's; the header, without which the file is no image, is written last.
/// </summary>
internal abstract class BlockTableFill(IBlockFile file, CreateRequest request, BlockFillLayout layout)
    : BlockFill(file, request, layout, BlocksPerShardOf(layout.BlockSize))
{
    private const long AimedShardLength = 512L << 20;
    private const int OddShardBlocks = 4096;

    private readonly HashSet<long> _published = [];

    /// <summary>First host offset behind all blocks, bytes; known when every shard is published.</summary>
    protected long End { get; private set; } = layout.Fixed ? layout.FirstBlock + layout.Blocks * layout.BlockSize : layout.FirstBlock;

    /// <summary>Blocks in all published shards.</summary>
    protected long PublishedBlocks { get; private set; }

    public override void Publish(ShardManifest manifest)
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

    /// <summary>Payload and tables are made durable, then <see cref="WriteHeaders"/> makes the file an image.</summary>
    public override void Finish()
    {
        if (File.CanResize)
        {
            File.SetLength(FileLength);
        }

        File.Flush();
        WriteHeaders();
        File.Flush();
    }

    /// <summary>Length that the finished file has, bytes.</summary>
    protected virtual long FileLength => End;

    protected override ShardManifest CloseShard(long shard, long[] places)
    {
        (long offset, byte[] entries) = EncodeEntries(shard * BlocksPerShard, places);
        File.Write(offset, entries);
        long[] hosts = [.. places.Where(static host => host != 0)];
        foreach (long host in hosts)
        {
            WritePrefix(host - Layout.Prefix);
        }

        long roomLength = Layout.Prefix + Layout.BlockSize;
        List<RoomExtent> rooms = Join(hosts.Select(host => new RoomExtent(host - Layout.Prefix, roomLength)));
        return new ShardManifest(shard, [], rooms, hosts.Length * Layout.BlockSize);
    }

    /// <summary>The bytes of the table for the blocks from <paramref name="firstBlock"/> on, and where in the file they go.</summary>
    /// <param name="firstBlock">Number of the first block.</param>
    /// <param name="hosts">Where the data of each starts in the file; 0 where it has none.</param>
    protected abstract (long Offset, byte[] Entries) EncodeEntries(long firstBlock, ReadOnlySpan<long> hosts);

    /// <summary>Writes what stands in front of a block's data.</summary>
    protected virtual void WritePrefix(long offset)
    {
    }

    protected abstract void WriteHeaders();

    private static long BlocksPerShardOf(long blockSize) => long.IsPow2(blockSize) ? Math.Max(1, AimedShardLength / blockSize) : OddShardBlocks;
}
