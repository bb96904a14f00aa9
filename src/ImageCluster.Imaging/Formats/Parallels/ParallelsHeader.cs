using System.Buffers.Binary;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Parallels;

/// <summary>
/// The header of a Parallels expandable image, after docs/interop/parallels.txt of QEMU. Little-endian; the table of blocks follows at once.
/// </summary>
internal sealed record ParallelsHeader
{
    public const int Length = 64;
    public const int SectorSize = 512;

    /// <summary>Where the flag stands that says whether the image is open for writing.</summary>
    private const int InUseAt = 44;
    private const uint InUse = 0x746f6e59;
    private const uint Version = 2;
    private const uint Heads = 16;
    private const uint SectorsPerCylinder = 32;
    private const uint MaxTracks = int.MaxValue / 513;
    internal const uint MaxEntries = int.MaxValue / sizeof(uint);

    /// <summary>Cluster size in sectors.</summary>
    public required uint Tracks { get; init; }

    public required uint Entries { get; init; }

    /// <summary>Size of the disk in sectors.</summary>
    public required long Sectors { get; init; }

    /// <summary>Where data starts in the file, in sectors.</summary>
    public required uint DataOffset { get; init; }

    /// <summary>The newer magic: entries count clusters, not sectors.</summary>
    public bool IsExtended { get; init; } = true;

    /// <summary>The image was not closed properly.</summary>
    public bool IsUnclean { get; init; }

    /// <summary>Where the format extension stands (dirty bitmaps), in sectors; 0 for none.</summary>
    public ulong ExtensionOffset { get; init; }

    /// <summary>Bytes.</summary>
    public long ClusterSize => (long)Tracks * SectorSize;

    /// <summary>Bytes that an entry's unit stands for.</summary>
    public long EntryUnit => IsExtended ? ClusterSize : SectorSize;

    public static bool HasMagic(ReadOnlySpan<byte> head) => head.Length >= Length
        && (head.StartsWith("WithoutFreeSpace"u8) || head.StartsWith("WithouFreSpacExt"u8))
        && BinaryPrimitives.ReadUInt32LittleEndian(head[16..]) == Version;

    public static ParallelsHeader Read(IBlockFile file, string name)
    {
        byte[] raw = new byte[Length];
        file.ReadPadded(0, raw);
        if (!HasMagic(raw))
        {
            throw new ImageException(ImageErrorKind.NotThisFormat, name, "Image not in Parallels format");
        }

        bool isExtended = raw.AsSpan().StartsWith("WithouFreSpacExt"u8);
        ulong sectors = isExtended ? BinaryPrimitives.ReadUInt64LittleEndian(raw.AsSpan(36)) : Field(raw, 36);
        uint tracks = Field(raw, 28);
        uint entries = Field(raw, 32);
        string? wrong =
            tracks == 0 ? "Invalid image: Zero sectors per track" :
            tracks > MaxTracks ? "Invalid image: Too big cluster" :
            entries > MaxEntries ? "Catalog too large" :
            sectors > long.MaxValue / SectorSize ? "Image size is too large" :
            null;
        if (wrong is not null)
        {
            throw new ImageException(tracks == 0 ? ImageErrorKind.Corrupt : ImageErrorKind.Limit, name, wrong);
        }

        uint dataOffset = Field(raw, 48);
        return new ParallelsHeader
        {
            Tracks = tracks,
            Entries = entries,
            Sectors = (long)sectors,
            DataOffset = dataOffset != 0 ? dataOffset : (uint)((Length + entries * (long)sizeof(uint) + SectorSize - 1) / SectorSize),
            IsExtended = isExtended,
            IsUnclean = Field(raw, InUseAt) == InUse,
            ExtensionOffset = BinaryPrimitives.ReadUInt64LittleEndian(raw.AsSpan(56)),
        };
    }

    /// <summary>Says in the file that the image is, or is no longer, open for writing.</summary>
    public static void WriteInUse(IBlockFile file, bool inUse)
    {
        Span<byte> flag = stackalloc byte[sizeof(uint)];
        BinaryPrimitives.WriteUInt32LittleEndian(flag, inUse ? InUse : 0);
        file.Write(InUseAt, flag);
        file.Flush();
    }

    /// <summary>The header of a new image.</summary>
    public byte[] Encode()
    {
        byte[] raw = new byte[Length];
        "WithouFreSpacExt"u8.CopyTo(raw);
        Put(raw, 16, Version);
        Put(raw, 20, Heads);
        Put(raw, 24, (uint)(Sectors / Heads / SectorsPerCylinder));
        Put(raw, 28, Tracks);
        Put(raw, 32, Entries);
        BinaryPrimitives.WriteInt64LittleEndian(raw.AsSpan(36), Sectors);
        Put(raw, 48, DataOffset);
        return raw;
    }

    private static uint Field(ReadOnlySpan<byte> raw, int at) => BinaryPrimitives.ReadUInt32LittleEndian(raw[at..]);

    private static void Put(byte[] raw, int at, uint value) => BinaryPrimitives.WriteUInt32LittleEndian(raw.AsSpan(at), value);
}
