using System.Buffers.Binary;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Vmdk;

/// <summary>Bits of a sparse extent's header (specification 1.1, "Hosted Sparse Extent").</summary>
[Flags]
internal enum SparseFlags : uint
{
    None = 0,

    /// <summary>The line-end characters in the header are to be looked at.</summary>
    NewlineTest = 1 << 0,

    /// <summary>There is a redundant grain directory with tables of its own.</summary>
    RedundantDirectory = 1 << 1,

    /// <summary>A grain table entry of 1 says that the grain reads as zeros.</summary>
    ZeroedGrains = 1 << 2,

    /// <summary>Grains are compressed.</summary>
    Compressed = 1 << 16,

    /// <summary>Grains and metadata stand behind markers.</summary>
    Markers = 1 << 17,
}

/// <summary>The header of a hosted sparse extent (magic <c>KDMV</c>), also the footer of a stream. Offsets and sizes in sectors of 512 bytes.</summary>
internal sealed record SparseHeader
{
    public const int Size = 512;

    /// <summary>"KDMV" as it stands in the file, read as big-endian.</summary>
    public const uint Magic = 0x4B444D56;

    /// <summary>Value of <see cref="DirectoryOffset"/> where the directory stands at the end and the footer says where.</summary>
    public const ulong DirectoryAtEnd = ulong.MaxValue;

    public const ushort Deflate = 1;

    public uint Version { get; init; } = 1;

    public SparseFlags Flags { get; init; }

    public ulong Capacity { get; init; }

    public ulong GrainSize { get; init; } = 128;

    public ulong DescriptorOffset { get; init; }

    public ulong DescriptorSize { get; init; }

    public uint EntriesPerTable { get; init; } = VmdkLimits.GrainTableEntries;

    public ulong RedundantDirectoryOffset { get; init; }

    public ulong DirectoryOffset { get; init; }

    /// <summary>Where the grains start ("overHead").</summary>
    public ulong GrainOffset { get; init; }

    public ushort CompressAlgorithm { get; init; }

    public bool IsCompressed => CompressAlgorithm == Deflate;

    public static bool HasMagic(ReadOnlySpan<byte> sector) => sector.Length >= 4 && BinaryPrimitives.ReadUInt32BigEndian(sector) == Magic;

    /// <summary>Takes the fields out of a sector; checks nothing.</summary>
    public static SparseHeader Parse(ReadOnlySpan<byte> sector) => new()
    {
        Version = BinaryPrimitives.ReadUInt32LittleEndian(sector[4..]),
        Flags = (SparseFlags)BinaryPrimitives.ReadUInt32LittleEndian(sector[8..]),
        Capacity = BinaryPrimitives.ReadUInt64LittleEndian(sector[12..]),
        GrainSize = BinaryPrimitives.ReadUInt64LittleEndian(sector[20..]),
        DescriptorOffset = BinaryPrimitives.ReadUInt64LittleEndian(sector[28..]),
        DescriptorSize = BinaryPrimitives.ReadUInt64LittleEndian(sector[36..]),
        EntriesPerTable = BinaryPrimitives.ReadUInt32LittleEndian(sector[44..]),
        RedundantDirectoryOffset = BinaryPrimitives.ReadUInt64LittleEndian(sector[48..]),
        DirectoryOffset = BinaryPrimitives.ReadUInt64LittleEndian(sector[56..]),
        GrainOffset = BinaryPrimitives.ReadUInt64LittleEndian(sector[64..]),
        CompressAlgorithm = BinaryPrimitives.ReadUInt16LittleEndian(sector[77..]),
    };

    /// <summary>Fills a sector.</summary>
    public void Write(Span<byte> sector)
    {
        sector[..Size].Clear();
        BinaryPrimitives.WriteUInt32BigEndian(sector, Magic);
        BinaryPrimitives.WriteUInt32LittleEndian(sector[4..], Version);
        BinaryPrimitives.WriteUInt32LittleEndian(sector[8..], (uint)Flags);
        BinaryPrimitives.WriteUInt64LittleEndian(sector[12..], Capacity);
        BinaryPrimitives.WriteUInt64LittleEndian(sector[20..], GrainSize);
        BinaryPrimitives.WriteUInt64LittleEndian(sector[28..], DescriptorOffset);
        BinaryPrimitives.WriteUInt64LittleEndian(sector[36..], DescriptorSize);
        BinaryPrimitives.WriteUInt32LittleEndian(sector[44..], EntriesPerTable);
        BinaryPrimitives.WriteUInt64LittleEndian(sector[48..], RedundantDirectoryOffset);
        BinaryPrimitives.WriteUInt64LittleEndian(sector[56..], DirectoryOffset);
        BinaryPrimitives.WriteUInt64LittleEndian(sector[64..], GrainOffset);

        // Byte 72 is "unclean shutdown". The four that follow show whether somebody transferred the file as text.
        "\n \r\n"u8.CopyTo(sector[73..]);
        BinaryPrimitives.WriteUInt16LittleEndian(sector[77..], CompressAlgorithm);
    }

    /// <summary>
    /// Checks what QEMU checks, in its order and words, and what arithmetic needs. Afterwards the sizes can be taken as
    /// <see cref="long"/> without overflow, and <see cref="TableCount"/> is at most <see cref="VmdkLimits.MaxGrainTables"/>.
    /// </summary>
    public void Validate(IBlockFile file, bool write)
    {
        if (Version > 3)
        {
            throw new ImageException(ImageErrorKind.Unsupported, file.Name, $"Unsupported VMDK version {Version}");
        }

        if (Version == 3 && write && !IsCompressed)
        {
            // Version 3 came with changed block tracking, which a writer that knows nothing of it would falsify.
            throw new ImageException(ImageErrorKind.Unsupported, file.Name, "VMDK version 3 must be read only");
        }

        if (EntriesPerTable > VmdkLimits.GrainTableEntries)
        {
            throw new ImageException(ImageErrorKind.Limit, file.Name, "L2 table size too big");
        }

        if (unchecked((uint)(EntriesPerTable * GrainSize)) == 0)
        {
            throw new ImageException(ImageErrorKind.Corrupt, file.Name, "L1 entry size is invalid");
        }

        long fileSectors = VmdkLimits.DivideUp(file.Length, VmdkLimits.SectorSize);
        if ((UInt128)fileSectors < GrainOffset)
        {
            throw new ImageException(ImageErrorKind.Truncated, file.Name,
                $"File truncated, expecting at least {(UInt128)GrainOffset * VmdkLimits.SectorSize} bytes");
        }

        if (GrainSize > VmdkLimits.MaxGrainSectors)
        {
            throw new ImageException(ImageErrorKind.Corrupt, file.Name, "Invalid granularity, image may be corrupt");
        }

        UInt128 perTable = (UInt128)EntriesPerTable * GrainSize;
        if ((Capacity + perTable - 1) / perTable > VmdkLimits.MaxGrainTables)
        {
            throw new ImageException(ImageErrorKind.Limit, file.Name, "L1 size too big");
        }

        if (Capacity > VmdkLimits.MaxSectors)
        {
            throw VmdkLimits.DiskTooLarge(file.Name);
        }
    }

    /// <summary>Grain tables that the capacity needs. Only after <see cref="Validate"/>.</summary>
    public long TableCount => VmdkLimits.DivideUp((long)Capacity, EntriesPerTable * (long)GrainSize);
}
