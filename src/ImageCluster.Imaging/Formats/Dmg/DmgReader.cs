using ImageCluster.Imaging.Compression;
using ImageCluster.Imaging.Extents;
using ImageCluster.Imaging.Formats.BlockTables;
using ImageCluster.Imaging.Formats.Capabilities;

namespace ImageCluster.Imaging.Formats.Dmg;

/// <summary>An Apple disk image (UDIF): chunks of any length, plain, zeros or compressed.</summary>
internal sealed class DmgReader : BlockReader, IImageStatus
{
    private const int SectorSize = 512;

    private readonly DmgChunk[] _chunks;
    private readonly InflatedBlocks _inflated = new();
    private readonly IClusterCodec _zlib;

    private DmgReader(OpenContext context)
        : base(context)
    {
        DmgTrailer trailer = DmgTrailer.Read(File, FileName);
        _chunks = DmgChunkList.Read(File, FileName, trailer);
        VirtualSize = trailer.Sectors * SectorSize;
        _zlib = ClusterCodecs.Zlib(FileName, wholeStream: true);
    }

    public override string FormatName => "dmg";

    public override long Granularity => SectorSize;

    public override long ClusterSize => 0;

    public bool TellsDirty => false;

    public bool TellsPlaces => false;

    public static IImageLayer Open(OpenContext context) => ReadOnlyFormat.Open(context, static context => new DmgReader(context));

    public override void Read(in Extent extent, Span<byte> buffer)
    {
        if (extent.Kind != ExtentKind.Compressed)
        {
            base.Read(extent, buffer);
            return;
        }

        int number = ChunkAt(extent.Start);
        DmgChunk chunk = _chunks[number];
        byte[] bytes = _inflated.Get(number, (int)chunk.Sectors * SectorSize, () => Inflate(chunk));
        bytes.AsSpan((int)(extent.Start - chunk.Sector * SectorSize), buffer.Length).CopyTo(buffer);
    }

    public override void Dispose()
    {
        _zlib.Dispose();
        base.Dispose();
    }

    protected override Extent Look(long offset, long length)
    {
        DmgChunk chunk = _chunks[ChunkAt(offset)];
        long within = offset - chunk.Sector * SectorSize;
        length = Math.Min(length, chunk.Sectors * SectorSize - within);
        switch (chunk.Type)
        {
            case DmgChunkType.Zero or DmgChunkType.Ignore:
                return new Extent(offset, length, ExtentKind.Zero);
            case DmgChunkType.Raw:
                return within < chunk.Length
                    ? new Extent(offset, Math.Min(length, chunk.Length - within), ExtentKind.Data, File, chunk.Offset + within)
                    : throw Corrupt($"dmg chunk at sector {chunk.Sector} holds {chunk.Length} bytes of {chunk.Sectors * SectorSize}");
            default:
                return new Extent(offset, length, ExtentKind.Compressed, File, chunk.Offset);
        }
    }

    private int ChunkAt(long offset)
    {
        long sector = offset / SectorSize;
        int low = 0;
        int high = _chunks.Length - 1;
        while (low < high)
        {
            int middle = (low + high + 1) / 2;
            (low, high) = _chunks[middle].Sector <= sector ? (middle, high) : (low, middle - 1);
        }

        return low < _chunks.Length && _chunks[low].Sector <= sector && sector < _chunks[low].EndSector
            ? low
            : throw Corrupt($"dmg image has no chunk for sector {sector}");
    }

    private byte[] Inflate(DmgChunk chunk)
    {
        Action<ReadOnlySpan<byte>, Span<byte>> inflate = chunk.Type switch
        {
            DmgChunkType.Adc => (packed, bytes) => AdcDecoder.Decompress(packed, bytes, FileName),
            DmgChunkType.Zlib => _zlib.Decompress,
            DmgChunkType.Bzip2 => (packed, bytes) => Bzip2Decoder.Decompress(packed, bytes, FileName),
            _ => throw new ImageException(ImageErrorKind.Unsupported, FileName,
                $"dmg chunk at sector {chunk.Sector} is compressed with {chunk.Type.ToString().ToLowerInvariant()}, which is not supported"),
        };
        return PackedBlock.Inflate(File, FileName, "chunk", chunk.Offset, (int)chunk.Length, (int)chunk.Sectors * SectorSize, inflate);
    }
}
