using System.Buffers.Binary;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Bochs;

/// <summary>The header of a growing Bochs disk, versions 1 and 2. Fields and limits after block/bochs.c; little-endian, bytes.</summary>
internal sealed record BochsHeader
{
    public const int Length = 512;

    private const uint Version1 = 0x00010000;
    private const uint Version2 = 0x00020000;
    private const uint MaxCatalogEntries = 0x100000;
    private const uint MaxExtentSize = 0x800000;
    private const int SectorSize = 512;

    /// <summary>Where the catalog stands.</summary>
    public required uint CatalogOffset { get; init; }

    public required uint CatalogEntries { get; init; }

    /// <summary>Sectors of the bitmap in front of each extent.</summary>
    public required uint BitmapSectors { get; init; }

    public required uint ExtentSize { get; init; }

    public required long DiskSize { get; init; }

    public static bool IsGrowing(ReadOnlySpan<byte> head) => head.Length >= Length
        && head.StartsWith("Bochs Virtual HD Image\0"u8)
        && head[32..].StartsWith("Redolog\0"u8)
        && head[48..].StartsWith("Growing\0"u8)
        && BinaryPrimitives.ReadUInt32LittleEndian(head[64..]) is Version1 or Version2;

    public static BochsHeader Read(IBlockFile file, string name)
    {
        byte[] raw = new byte[Length];
        file.ReadPadded(0, raw);
        if (!IsGrowing(raw))
        {
            throw new ImageException(ImageErrorKind.NotThisFormat, name, "Image not in Bochs format");
        }

        int sizeAt = Field(raw, 64) == Version1 ? 84 : 88;
        ulong sectors = BinaryPrimitives.ReadUInt64LittleEndian(raw.AsSpan(sizeAt)) / SectorSize;
        uint entries = Field(raw, 72);
        uint extentSize = Field(raw, 80);
        string? wrong =
            entries > MaxCatalogEntries ? "Catalog size is too large" :
            extentSize < SectorSize ? "Extent size must be at least 512" :
            !uint.IsPow2(extentSize) ? $"Extent size {extentSize} is not a power of two" :
            extentSize > MaxExtentSize ? $"Extent size {extentSize} is too large" :
            entries < (sectors + extentSize / SectorSize - 1) / (extentSize / SectorSize) ? "Catalog size is too small for this disk size" :
            null;
        if (wrong is not null)
        {
            throw new ImageException(ImageErrorKind.Corrupt, name, wrong);
        }

        return new BochsHeader
        {
            CatalogOffset = Field(raw, 68),
            CatalogEntries = entries,
            BitmapSectors = 1 + unchecked(Field(raw, 76) - 1) / SectorSize,
            ExtentSize = extentSize,
            DiskSize = (long)sectors * SectorSize,
        };
    }

    private static uint Field(ReadOnlySpan<byte> raw, int at) => BinaryPrimitives.ReadUInt32LittleEndian(raw[at..]);
}
