using System.Buffers.Binary;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Qed;

/// <summary>The header of a QED image, after docs/interop/qed_spec.txt of QEMU. Offsets and sizes in bytes, little-endian.</summary>
internal sealed record QedHeader
{
    public const int Length = 64;
    public const uint DefaultClusterSize = 64 << 10;
    public const uint DefaultTableSize = 4;
    public const uint MinClusterSize = 4 << 10;
    public const uint MaxClusterSize = 64 << 20;
    public const uint MinTableSize = 1;
    public const uint MaxTableSize = 16;

    private const uint Magic = 'Q' | 'E' << 8 | 'D' << 16;
    private const ulong HasBackingFile = 1;
    private const ulong NeedsCheckBit = 2;
    private const ulong BackingIsRaw = 4;
    private const int MaxBackingNameLength = 1023;
    private const int SectorSize = 512;

    public required uint ClusterSize { get; init; }

    /// <summary>Of L1 and L2 tables, in clusters.</summary>
    public required uint TableSize { get; init; }

    /// <summary>In clusters.</summary>
    public uint HeaderSize { get; init; } = 1;

    public ulong CompatibleFeatures { get; init; }

    public ulong AutoclearFeatures { get; init; }

    public required ulong L1TableOffset { get; init; }

    public required long ImageSize { get; init; }

    /// <summary>The image was not closed properly and must be checked before it is written.</summary>
    public bool NeedsCheck { get; init; }

    public BackingReference? Backing { get; init; }

    /// <summary>Entries of an L1 or L2 table.</summary>
    public long TableEntries => (long)ClusterSize * TableSize / sizeof(ulong);

    /// <summary>Bytes of a table.</summary>
    public long TableLength => (long)ClusterSize * TableSize;

    public static bool HasMagic(ReadOnlySpan<byte> head) => head.Length >= Length && BinaryPrimitives.ReadUInt32LittleEndian(head) == Magic;

    public static bool IsClusterSizeValid(long size) => size is >= MinClusterSize and <= MaxClusterSize && long.IsPow2(size);

    public static bool IsTableSizeValid(long size) => size is >= MinTableSize and <= MaxTableSize && long.IsPow2(size);

    /// <summary>What the tables can reach, as QEMU works it out, with 64 bits that may overflow for the largest clusters.</summary>
    public static ulong MaxImageSize(uint clusterSize, uint tableSize)
    {
        ulong entries = unchecked(tableSize * clusterSize) / sizeof(ulong);
        return unchecked(entries * clusterSize * entries);
    }

    public static bool IsImageSizeValid(ulong size, uint clusterSize, uint tableSize) =>
        size % SectorSize == 0 && size <= MaxImageSize(clusterSize, tableSize) && size <= long.MaxValue;

    public static QedHeader Read(IBlockFile file, string name)
    {
        byte[] raw = new byte[Length];
        file.ReadPadded(0, raw);
        if (!HasMagic(raw))
        {
            throw new ImageException(ImageErrorKind.NotThisFormat, name, "Image not in QED format");
        }

        ulong features = Field64(raw, 16);
        ulong unknown = features & ~(HasBackingFile | NeedsCheckBit | BackingIsRaw);
        if (unknown != 0)
        {
            throw new ImageException(ImageErrorKind.Unsupported, name, $"Unsupported QED features: {unknown:x}");
        }

        QedHeader header = new()
        {
            ClusterSize = Field(raw, 4),
            TableSize = Field(raw, 8),
            HeaderSize = Field(raw, 12),
            CompatibleFeatures = Field64(raw, 24),
            AutoclearFeatures = Field64(raw, 32),
            L1TableOffset = Field64(raw, 40),
            ImageSize = (long)Math.Min(Field64(raw, 48), long.MaxValue),
            NeedsCheck = (features & NeedsCheckBit) != 0,
        };
        header.Validate(name, Field64(raw, 48), file.Length);
        return (features & HasBackingFile) == 0
            ? header
            : header with { Backing = header.ReadBacking(file, name, Field(raw, 56), Field(raw, 60), (features & BackingIsRaw) != 0) };
    }

    /// <summary>True where a cluster may stand at that offset of a file of so many bytes.</summary>
    public bool IsClusterOffset(ulong offset, long fileLength) =>
        offset % ClusterSize == 0 && offset >= (ulong)HeaderSize * ClusterSize && offset < (ulong)(fileLength & -(long)ClusterSize);

    /// <summary>True where a whole table may stand there.</summary>
    public bool IsTableOffset(ulong offset, long fileLength)
    {
        ulong last = unchecked(offset + (TableSize - 1) * (ulong)ClusterSize);
        return last >= offset && IsClusterOffset(offset, fileLength) && IsClusterOffset(last, fileLength);
    }

    /// <summary>The header, and behind it the backing file's name.</summary>
    public byte[] Encode()
    {
        byte[] backing = NameText.GetBytes(Backing?.Name ?? "");
        byte[] raw = new byte[Length + backing.Length];
        Span<byte> at = raw;
        BinaryPrimitives.WriteUInt32LittleEndian(at, Magic);
        BinaryPrimitives.WriteUInt32LittleEndian(at[4..], ClusterSize);
        BinaryPrimitives.WriteUInt32LittleEndian(at[8..], TableSize);
        BinaryPrimitives.WriteUInt32LittleEndian(at[12..], HeaderSize);
        BinaryPrimitives.WriteUInt64LittleEndian(at[16..],
            (Backing is null ? 0 : HasBackingFile) | (Backing?.Format == "raw" ? BackingIsRaw : 0) | (NeedsCheck ? NeedsCheckBit : 0));
        BinaryPrimitives.WriteUInt64LittleEndian(at[24..], CompatibleFeatures);
        BinaryPrimitives.WriteUInt64LittleEndian(at[32..], AutoclearFeatures);
        BinaryPrimitives.WriteUInt64LittleEndian(at[40..], L1TableOffset);
        BinaryPrimitives.WriteInt64LittleEndian(at[48..], ImageSize);
        if (Backing is not null)
        {
            BinaryPrimitives.WriteInt32LittleEndian(at[56..], Length);
            BinaryPrimitives.WriteInt32LittleEndian(at[60..], backing.Length);
            backing.CopyTo(at[Length..]);
        }

        return raw;
    }

    private void Validate(string name, ulong imageSize, long fileLength)
    {
        string? wrong =
            !IsClusterSizeValid(ClusterSize) ? "QED cluster size is invalid" :
            !IsTableSizeValid(TableSize) ? "QED table size is invalid" :
            !IsImageSizeValid(imageSize, ClusterSize, TableSize) ? "QED image size is invalid" :
            !IsTableOffset(L1TableOffset, fileLength) ? "QED table offset is invalid" :
            HeaderSize > uint.MaxValue / ClusterSize ? "QED header size is too large" :
            null;
        if (wrong is not null)
        {
            throw new ImageException(ImageErrorKind.Corrupt, name, wrong);
        }
    }

    private BackingReference ReadBacking(IBlockFile file, string name, uint offset, uint length, bool isRaw)
    {
        if ((ulong)offset + length > (ulong)ClusterSize * HeaderSize)
        {
            throw new ImageException(ImageErrorKind.Corrupt, name, "QED backing filename offset is invalid");
        }

        if (length > MaxBackingNameLength)
        {
            throw new ImageException(ImageErrorKind.Limit, name, "Failed to read backing filename");
        }

        byte[] text = new byte[length];
        file.ReadPadded(offset, text);
        int end = text.AsSpan().IndexOf((byte)0);
        return new BackingReference(NameText.GetString(end < 0 ? text : text.AsSpan(0, end)), isRaw ? "raw" : null);
    }

    private static uint Field(ReadOnlySpan<byte> raw, int at) => BinaryPrimitives.ReadUInt32LittleEndian(raw[at..]);

    private static ulong Field64(ReadOnlySpan<byte> raw, int at) => BinaryPrimitives.ReadUInt64LittleEndian(raw[at..]);
}
