using System.Buffers.Binary;
using System.Text;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Vpc;

/// <summary>
/// The footer of a Virtual Hard Disk: its last sector and, except in fixed disks, also its first. Fields after Microsoft's "Virtual
/// Hard Disk Image Format Specification" 1.0; which size counts after block/vpc.c. Offsets and sizes in bytes, big-endian.
/// </summary>
internal sealed record VpcFooter
{
    public const int Length = 512;
    public const uint TypeFixed = 2;
    public const uint TypeDynamic = 3;
    public const uint TypeDifferencing = 4;

    /// <summary>Made by QEMU: the geometry is the size.</summary>
    public const string CreatorGeometry = "qemu";

    /// <summary>Made by QEMU with force_size: the size field is the size.</summary>
    public const string CreatorSize = "qem2";

    /// <summary>2,040 GiB.</summary>
    public const long MaxSectors = 0xff000000;

    private const int SectorSize = 512;
    private const int ChecksumAt = 0x40;
    private static readonly DateTimeOffset Epoch = new(2000, 1, 1, 0, 0, 0, TimeSpan.Zero);

    /// <summary>Where the dynamic header stands; all ones in a fixed disk.</summary>
    public long DataOffset { get; init; } = -1;

    /// <summary>Four characters that say who made the disk.</summary>
    public string Creator { get; init; } = CreatorGeometry;

    public long CurrentSize { get; init; }

    public VpcGeometry Geometry { get; init; }

    public uint Type { get; init; } = TypeDynamic;

    public Guid Id { get; init; }

    /// <summary>Seconds since the start of 2000.</summary>
    public uint TimeStamp { get; init; }

    /// <summary>The sector as it stands in the file, for keeping what is not understood.</summary>
    public byte[] Raw { get; private init; } = [];

    /// <summary>
    /// Size of the guest's disk in bytes. Virtual PC and old QEMU go by the geometry, others by the size field; so do all where the
    /// geometry is the largest there is.
    /// </summary>
    /// <param name="sizeFrom"><c>chs</c> or <c>current_size</c> (QEMU's option force_size_calc), or null to go by the creator.</param>
    public long DiskSize(string? sizeFrom)
    {
        bool byGeometry = sizeFrom == "chs" || (sizeFrom != "current_size" && !IsCreatorKnownForSize);
        return byGeometry && Geometry.Sectors != VpcGeometry.Max.Sectors ? Geometry.Sectors * SectorSize : CurrentSize / SectorSize * SectorSize;
    }

    /// <summary>
    /// Reads the footer: the copy at the start, or the one at the end where there is none or it is damaged. False in the second place
    /// where it is the one at the end.
    /// </summary>
    public static (VpcFooter Footer, bool AtStart) Read(IBlockFile file, string name)
    {
        byte[] raw = new byte[Length];
        file.ReadPadded(0, raw);
        bool damaged = HasCookie(raw);
        if (damaged && IsIntact(raw))
        {
            return (Decode(raw), true);
        }

        long length = file.Length;
        if (length == 0)
        {
            throw new ImageException(ImageErrorKind.NotThisFormat, name, "File too small for a VHD header");
        }

        // The last sector, whole or begun: QEMU takes files in whole sectors.
        file.ReadPadded((length - 1) & -Length, raw);
        if (HasCookie(raw))
        {
            damaged = true;
            if (IsIntact(raw))
            {
                return (Decode(raw), false);
            }
        }

        throw damaged
            ? new ImageException(ImageErrorKind.Corrupt, name, "Incorrect header checksum")
            : new ImageException(ImageErrorKind.NotThisFormat, name, "invalid VPC image");
    }

    public static bool HasCookie(ReadOnlySpan<byte> head) => head.StartsWith("conectix"u8);

    /// <summary>A new disk's footer, now.</summary>
    public static VpcFooter New(uint type, long size, VpcGeometry geometry, bool sizeCounts, DateTimeOffset now) => new()
    {
        DataOffset = type == TypeFixed ? -1 : Length,
        Creator = sizeCounts ? CreatorSize : CreatorGeometry,
        CurrentSize = size,
        Geometry = geometry,
        Type = type,
        Id = Guid.NewGuid(),
        TimeStamp = (uint)(now - Epoch).TotalSeconds,
    };

    /// <summary>The footer's sector, with its checksum.</summary>
    public byte[] Encode()
    {
        byte[] raw = new byte[Length];
        Span<byte> at = raw;
        "conectix"u8.CopyTo(at);
        BinaryPrimitives.WriteUInt32BigEndian(at[0x08..], 2);
        BinaryPrimitives.WriteUInt32BigEndian(at[0x0c..], 0x00010000);
        BinaryPrimitives.WriteInt64BigEndian(at[0x10..], DataOffset);
        BinaryPrimitives.WriteUInt32BigEndian(at[0x18..], TimeStamp);
        Encoding.ASCII.GetBytes(Creator, at[0x1c..]);

        // QEMU says it is Virtual PC 2007 on Windows 2000.
        BinaryPrimitives.WriteUInt16BigEndian(at[0x20..], 5);
        BinaryPrimitives.WriteUInt16BigEndian(at[0x22..], 3);
        "Wi2k"u8.CopyTo(at[0x24..]);
        BinaryPrimitives.WriteInt64BigEndian(at[0x28..], CurrentSize);
        BinaryPrimitives.WriteInt64BigEndian(at[0x30..], CurrentSize);
        BinaryPrimitives.WriteUInt16BigEndian(at[0x38..], Geometry.Cylinders);
        raw[0x3a] = Geometry.Heads;
        raw[0x3b] = Geometry.SectorsPerTrack;
        BinaryPrimitives.WriteUInt32BigEndian(at[0x3c..], Type);
        Id.TryWriteBytes(at[0x44..], bigEndian: true, out _);
        BinaryPrimitives.WriteUInt32BigEndian(at[ChecksumAt..], VpcChecksum.Of(raw, ChecksumAt));
        return raw;
    }

    private bool IsCreatorKnownForSize =>
        Creator is "win " or CreatorSize or "d2v " or "CTXS" || Creator.StartsWith("tap\0", StringComparison.Ordinal);

    private static bool IsIntact(ReadOnlySpan<byte> raw) =>
        VpcChecksum.Of(raw, ChecksumAt) == BinaryPrimitives.ReadUInt32BigEndian(raw[ChecksumAt..]);

    private static VpcFooter Decode(byte[] raw) => new()
    {
        DataOffset = BinaryPrimitives.ReadInt64BigEndian(raw.AsSpan(0x10)),
        TimeStamp = BinaryPrimitives.ReadUInt32BigEndian(raw.AsSpan(0x18)),
        Creator = Encoding.Latin1.GetString(raw, 0x1c, 4),

        // A size of more than 2^63 is beyond every limit anyway.
        CurrentSize = (long)Math.Min(BinaryPrimitives.ReadUInt64BigEndian(raw.AsSpan(0x30)), long.MaxValue),
        Geometry = new VpcGeometry(BinaryPrimitives.ReadUInt16BigEndian(raw.AsSpan(0x38)), raw[0x3a], raw[0x3b]),
        Type = BinaryPrimitives.ReadUInt32BigEndian(raw.AsSpan(0x3c)),
        Id = new Guid(raw.AsSpan(0x44, 16), bigEndian: true),
        Raw = raw,
    };
}
