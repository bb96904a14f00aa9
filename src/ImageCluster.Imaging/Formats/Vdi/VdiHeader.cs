using System.Buffers.Binary;
using System.Text;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Vdi;

/// <summary>
/// The header of a VirtualBox disk image, version 1.1: the file's first sector. Fields and limits after block/vdi.c and VirtualBox's
/// VDICore.h. Offsets and sizes in bytes.
/// </summary>
internal sealed record VdiHeader
{
    public const int Length = 512;
    public const uint Signature = 0xbeda107f;
    public const int BlockSize = 1 << 20;
    public const uint TypeDynamic = 1;
    public const uint TypeStatic = 2;

    /// <summary>A block that was never written.</summary>
    public const uint Unallocated = 0xffffffff;

    /// <summary>A block that was given back; entries from here on have no place in the file.</summary>
    public const uint Discarded = 0xfffffffe;

    /// <summary>QEMU's limit: the block map stays below 2 GiB.</summary>
    public const uint MaxBlocks = (0x80000000u - 512) / sizeof(uint);

    public const long MaxDiskSize = (long)MaxBlocks * BlockSize;

    private const int SectorSize = 512;
    private const uint Version = 0x00010001;
    private const int SignatureAt = 0x40;
    private const int BlocksAllocatedAt = 0x184;
    private const string Text = "<<< QEMU VM Virtual Disk Image >>>\n";

    public uint ImageType { get; init; } = TypeDynamic;

    public required uint BlockMapOffset { get; init; }

    public required uint DataOffset { get; init; }

    /// <summary>Guest bytes; a multiple of 512.</summary>
    public required long DiskSize { get; init; }

    public required uint BlocksInImage { get; init; }

    public uint BlocksAllocated { get; init; }

    public Guid ImageId { get; init; }

    public Guid LastSnapshotId { get; init; }

    public bool IsStatic => ImageType == TypeStatic;

    /// <summary>True where the bytes, at least a whole header, bear the signature.</summary>
    public static bool HasSignature(ReadOnlySpan<byte> head) =>
        head.Length >= Length && BinaryPrimitives.ReadUInt32LittleEndian(head[SignatureAt..]) == Signature;

    public static VdiHeader Read(IBlockFile file, string name)
    {
        Span<byte> raw = stackalloc byte[Length];
        file.ReadPadded(0, raw);
        ulong diskSize = Field64(raw, 0x170);
        if (diskSize > MaxDiskSize)
        {
            throw Bad(ImageErrorKind.Limit, name, $"Unsupported VDI image size (size is 0x{diskSize:x}, max supported is 0x{MaxDiskSize:x})");
        }

        uint signature = Field(raw, SignatureAt);
        if (signature != Signature)
        {
            throw Bad(ImageErrorKind.NotThisFormat, name, $"Image not in VDI format (bad signature {signature:x8})");
        }

        // VBoxManage convertfromraw makes images of odd sizes; QEMU shows them in whole sectors.
        VdiHeader header = new()
        {
            ImageType = Field(raw, 0x4c),
            BlockMapOffset = Field(raw, 0x154),
            DataOffset = Field(raw, 0x158),
            DiskSize = ((long)diskSize + SectorSize - 1) & -SectorSize,
            BlocksInImage = Field(raw, 0x180),
            BlocksAllocated = Field(raw, BlocksAllocatedAt),
            ImageId = new Guid(raw[0x188..0x198]),
            LastSnapshotId = new Guid(raw[0x198..0x1a8]),
        };
        string? unsupported = header.WhatIsUnsupported(raw);
        return unsupported is null ? header : throw Bad(ImageErrorKind.Unsupported, name, unsupported);
    }

    /// <summary>True where writing a block could change the block map, or the other way round.</summary>
    public bool MapOverlapsData => DataOffset < BlockMapOffset + ((long)BlocksInImage * sizeof(uint))
        && BlockMapOffset < DataOffset + ((long)BlocksInImage * BlockSize);

    /// <summary>The header's sector.</summary>
    public byte[] Encode()
    {
        byte[] raw = new byte[Length];
        Encoding.ASCII.GetBytes(Text, raw);
        Put(raw, SignatureAt, Signature);
        Put(raw, 0x44, Version);
        Put(raw, 0x48, 0x180);
        Put(raw, 0x4c, ImageType);
        Put(raw, 0x154, BlockMapOffset);
        Put(raw, 0x158, DataOffset);
        Put(raw, 0x168, SectorSize);
        BinaryPrimitives.WriteInt64LittleEndian(raw.AsSpan(0x170), DiskSize);
        Put(raw, 0x178, BlockSize);
        Put(raw, 0x180, BlocksInImage);
        Put(raw, BlocksAllocatedAt, BlocksAllocated);
        ImageId.TryWriteBytes(raw.AsSpan(0x188));
        LastSnapshotId.TryWriteBytes(raw.AsSpan(0x198));
        return raw;
    }

    /// <summary>Changes the count of allocated blocks in the file and nothing else.</summary>
    public static void WriteBlocksAllocated(IBlockFile file, uint count)
    {
        Span<byte> field = stackalloc byte[sizeof(uint)];
        BinaryPrimitives.WriteUInt32LittleEndian(field, count);
        file.Write(BlocksAllocatedAt, field);
    }

    private string? WhatIsUnsupported(ReadOnlySpan<byte> raw)
    {
        uint version = Field(raw, 0x44);
        uint sectorSize = Field(raw, 0x168);
        uint blockSize = Field(raw, 0x178);
        long mapped = (long)BlocksInImage * BlockSize;
        return
            version != Version ? $"unsupported VDI image (version {version >> 16}.{version & 0xffff})" :
            BlockMapOffset % SectorSize != 0 ? $"unsupported VDI image (unaligned block map offset 0x{BlockMapOffset:x})" :
            DataOffset % SectorSize != 0 ? $"unsupported VDI image (unaligned data offset 0x{DataOffset:x})" :
            sectorSize != SectorSize ? $"unsupported VDI image (sector size {sectorSize} is not {SectorSize})" :
            blockSize != BlockSize ? $"unsupported VDI image (block size {blockSize} is not {BlockSize})" :
            DiskSize > mapped ? $"unsupported VDI image (disk size {DiskSize}, image bitmap has room for {mapped})" :
            raw[0x1a8..0x1b8].ContainsAnyExcept((byte)0) ? "unsupported VDI image (non-NULL link UUID)" :
            raw[0x1b8..0x1c8].ContainsAnyExcept((byte)0) ? "unsupported VDI image (non-NULL parent UUID)" :
            BlocksInImage > MaxBlocks ? $"unsupported VDI image (too many blocks {BlocksInImage}, max is {MaxBlocks})" :
            null;
    }

    private static uint Field(ReadOnlySpan<byte> raw, int at) => BinaryPrimitives.ReadUInt32LittleEndian(raw[at..]);

    private static ulong Field64(ReadOnlySpan<byte> raw, int at) => BinaryPrimitives.ReadUInt64LittleEndian(raw[at..]);

    private static void Put(byte[] raw, int at, uint value) => BinaryPrimitives.WriteUInt32LittleEndian(raw.AsSpan(at), value);

    private static ImageException Bad(ImageErrorKind kind, string name, string message) => new(kind, name, message);
}
