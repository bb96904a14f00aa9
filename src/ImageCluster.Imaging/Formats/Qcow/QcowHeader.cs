using System.Buffers.Binary;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Qcow;

/// <summary>The header of a qcow image, version 1. Fields and limits after block/qcow.c. Offsets and sizes in bytes, big-endian.</summary>
internal sealed record QcowHeader
{
    public const int Length = 48;

    private const uint Magic = 0x514649fb;
    private const uint Version = 1;
    private const uint NoEncryption = 0;
    private const uint AesEncryption = 1;
    private const int MaxBackingNameLength = 1023;
    private const int SectorSize = 512;

    /// <summary>9 to 16.</summary>
    public required int ClusterBits { get; init; }

    /// <summary>6 to 13: logarithm of an L2 table's number of entries.</summary>
    public required int L2Bits { get; init; }

    /// <summary>Guest bytes as the header has them; the disk is what whole sectors there are.</summary>
    public required long Size { get; init; }

    public long L1TableOffset { get; init; }

    public bool IsEncrypted { get; init; }

    /// <summary>The name of the backing file, whose format the header does not say; null for none.</summary>
    public string? BackingName { get; init; }

    public int ClusterSize => 1 << ClusterBits;

    public long DiskSize => Size & -SectorSize;

    public long L1Count => (Size + (1L << (ClusterBits + L2Bits)) - 1) >> (ClusterBits + L2Bits);

    public static bool IsQcow1(ReadOnlySpan<byte> head) =>
        head.Length >= Length && BinaryPrimitives.ReadUInt32BigEndian(head) == Magic && BinaryPrimitives.ReadUInt32BigEndian(head[4..]) == Version;

    public static QcowHeader Read(IBlockFile file, string name)
    {
        byte[] raw = new byte[Length];
        file.ReadPadded(0, raw);
        if (BinaryPrimitives.ReadUInt32BigEndian(raw) != Magic)
        {
            throw new ImageException(ImageErrorKind.NotThisFormat, name, "Image not in qcow format");
        }

        uint version = BinaryPrimitives.ReadUInt32BigEndian(raw.AsSpan(4));
        if (version != Version)
        {
            throw new ImageException(ImageErrorKind.Unsupported, name, $"qcow (v{Version}) does not support qcow version {version}")
            {
                Hint = version is 2 or 3 ? "Try the 'qcow2' driver instead." : null,
            };
        }

        ulong size = BinaryPrimitives.ReadUInt64BigEndian(raw.AsSpan(24));
        uint encryption = BinaryPrimitives.ReadUInt32BigEndian(raw.AsSpan(36));
        ulong l1TableOffset = BinaryPrimitives.ReadUInt64BigEndian(raw.AsSpan(40));
        Validate(name, size, raw[32], raw[33], encryption);

        // QEMU takes zeros for what is not there, and so another table for the image's.
        if (file.Length < Length)
        {
            throw new ImageException(ImageErrorKind.Truncated, name, $"Image is truncated: the header needs {Length} bytes, the file ends at {file.Length}");
        }

        if (l1TableOffset > long.MaxValue / 2)
        {
            throw new ImageException(ImageErrorKind.Corrupt, name, $"L1 table offset 0x{l1TableOffset:x} is invalid");
        }

        return new QcowHeader
        {
            ClusterBits = raw[32],
            L2Bits = raw[33],
            Size = (long)size,
            L1TableOffset = (long)l1TableOffset,
            IsEncrypted = encryption == AesEncryption,
            BackingName = ReadBackingName(file, name, raw),
        };
    }

    /// <summary>The header, and behind it the backing file's name.</summary>
    public byte[] Encode()
    {
        byte[] backing = NameText.GetBytes(BackingName ?? "");
        byte[] raw = new byte[Length + backing.Length];
        Span<byte> at = raw;
        BinaryPrimitives.WriteUInt32BigEndian(at, Magic);
        BinaryPrimitives.WriteUInt32BigEndian(at[4..], Version);
        if (backing.Length > 0)
        {
            BinaryPrimitives.WriteInt64BigEndian(at[8..], Length);
            BinaryPrimitives.WriteInt32BigEndian(at[16..], backing.Length);
            backing.CopyTo(at[Length..]);
        }

        BinaryPrimitives.WriteInt64BigEndian(at[24..], Size);
        raw[32] = (byte)ClusterBits;
        raw[33] = (byte)L2Bits;
        BinaryPrimitives.WriteUInt32BigEndian(at[36..], IsEncrypted ? AesEncryption : NoEncryption);
        BinaryPrimitives.WriteInt64BigEndian(at[40..], L1TableOffset);
        return raw;
    }

    private static void Validate(string name, ulong size, int clusterBits, int l2Bits, uint encryption)
    {
        string? wrong =
            size <= 1 ? "Image size is too small (must be at least 2 bytes)" :
            clusterBits is < 9 or > 16 ? "Cluster size must be between 512 and 64k" :
            l2Bits is < 9 - 3 or > 16 - 3 ? "L2 table size must be between 512 and 64k" :
            encryption is not (NoEncryption or AesEncryption) ? "invalid encryption method in qcow header" :
            size > long.MaxValue || (size >> (clusterBits + l2Bits)) >= int.MaxValue / sizeof(ulong) ? "Image too large" :
            null;
        if (wrong is not null)
        {
            throw new ImageException(wrong == "Image too large" ? ImageErrorKind.Limit : ImageErrorKind.Corrupt, name, wrong);
        }
    }

    private static string? ReadBackingName(IBlockFile file, string name, ReadOnlySpan<byte> raw)
    {
        ulong offset = BinaryPrimitives.ReadUInt64BigEndian(raw[8..]);
        uint length = BinaryPrimitives.ReadUInt32BigEndian(raw[16..]);
        if (offset == 0)
        {
            return null;
        }

        if (length > MaxBackingNameLength)
        {
            throw new ImageException(ImageErrorKind.Limit, name, "Backing file name too long");
        }

        if (offset > (ulong)file.Length)
        {
            throw new ImageException(ImageErrorKind.Truncated, name, $"Backing file name at offset {offset} lies behind the file's end");
        }

        byte[] text = new byte[length];
        file.ReadPadded((long)offset, text);
        int end = text.AsSpan().IndexOf((byte)0);
        string backing = NameText.GetString(end < 0 ? text : text.AsSpan(0, end));
        return backing.Length == 0 ? null : backing;
    }
}
