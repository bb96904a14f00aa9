using ImageCluster.Imaging.Compression;
using ImageCluster.Imaging.Extents;
using ImageCluster.Imaging.Formats.BlockTables;
using ImageCluster.Imaging.Formats.Capabilities;

namespace ImageCluster.Imaging.Formats.Cloop;

/// <summary>A compressed loop image: equal blocks, each a zlib stream, found by a table of offsets.</summary>
internal sealed class CloopReader : BlockReader, IImageStatus
{
    private const int SectorSize = 512;
    private const ulong MaxPackedLength = 2UL * (64 << 20);

    private readonly CloopHeader _header;
    private readonly TableCache _cache;
    private readonly EntryTable _offsets;
    private readonly InflatedBlocks _blocks = new();
    private readonly IClusterCodec _codec;

    private CloopReader(OpenContext context)
        : base(context)
    {
        _header = CloopHeader.Read(File, FileName);
        _cache = new TableCache(File);
        _offsets = new EntryTable("table of offsets", CloopHeader.TableOffset, _header.Blocks + 1L, sizeof(ulong), BigEndian: true);
        VerifyOffsets();
        VirtualSize = _header.Blocks * (long)_header.BlockSize;
        _codec = ClusterCodecs.Zlib(FileName, wholeStream: true);
    }

    public override string FormatName => "cloop";

    public override long Granularity => SectorSize;

    public override long ClusterSize => 0;

    public bool TellsDirty => false;

    public bool TellsPlaces => false;

    public static IImageLayer Open(OpenContext context) => ReadOnlyFormat.Open(context, static context => new CloopReader(context));

    public override void Read(in Extent extent, Span<byte> buffer)
    {
        long block = extent.Start / _header.BlockSize;
        byte[] bytes = _blocks.Get(block, _header.BlockSize, () => Inflate(block));
        bytes.AsSpan((int)(extent.Start - block * _header.BlockSize), buffer.Length).CopyTo(buffer);
    }

    public override void Dispose()
    {
        _codec.Dispose();
        base.Dispose();
    }

    protected override Extent Look(long offset, long length)
    {
        long block = offset / _header.BlockSize;
        length = Math.Min(length, (block + 1) * _header.BlockSize - offset);
        return new Extent(offset, length, ExtentKind.Compressed, File, (long)_cache.Read(_offsets, block));
    }

    private void VerifyOffsets()
    {
        _cache.RequireWhole(_offsets);
        ulong previous = _cache.Read(_offsets, 0);
        for (long i = 1; i <= _header.Blocks; i++)
        {
            ulong offset = _cache.Read(_offsets, i);
            if (offset < previous)
            {
                throw Corrupt($"offsets not monotonically increasing at index {i}, image file is corrupt");
            }

            if (offset - previous > MaxPackedLength)
            {
                throw Corrupt($"invalid compressed block size at index {i}, image file is corrupt");
            }

            previous = offset;
        }

        if (previous > long.MaxValue)
        {
            throw Corrupt("offsets lie behind what a file can hold, image file is corrupt");
        }
    }

    private byte[] Inflate(long block)
    {
        long offset = (long)_cache.Read(_offsets, block);
        int length = (int)((long)_cache.Read(_offsets, block + 1) - offset);
        return PackedBlock.Inflate(File, FileName, $"block {block}", offset, length, _header.BlockSize, _codec.Decompress);
    }
}
