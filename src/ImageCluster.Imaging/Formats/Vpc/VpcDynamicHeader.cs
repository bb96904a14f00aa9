using System.Buffers.Binary;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Vpc;

/// <summary>The header that dynamic and differencing disks have: where the block table is, and who the parent is.</summary>
internal sealed record VpcDynamicHeader
{
    public const int Length = 1024;
    public const int DefaultBlockSize = 2 << 20;

    /// <summary>An entry of the block table for a block without a place.</summary>
    public const uint Unallocated = 0xffffffff;

    private const int SectorSize = 512;
    private const int ChecksumAt = 0x24;
    private const int MaxEntries = int.MaxValue / sizeof(uint);

    /// <summary>Bytes from the file's start.</summary>
    public long TableOffset { get; init; }

    public long MaxTableEntries { get; init; }

    /// <summary>Guest bytes of a block, without its sector bitmap.</summary>
    public long BlockSize { get; init; } = DefaultBlockSize;

    public VpcParent? Parent { get; init; }

    /// <summary>Bytes of the sector bitmap in front of each block: a bit a sector, in whole sectors.</summary>
    public int BitmapSize => (int)((BlockSize / (8 * SectorSize) + SectorSize - 1) & -SectorSize);

    /// <summary>Reads and checks the header for a disk of so many bytes.</summary>
    public static VpcDynamicHeader Read(IBlockFile file, string name, VpcFooter footer, long diskSize)
    {
        long offset = footer.DataOffset;
        byte[] raw = new byte[Length];
        if (offset is < 0 or > long.MaxValue - Length)
        {
            throw new ImageException(ImageErrorKind.Truncated, name, "Error reading dynamic VHD header");
        }

        file.ReadPadded(offset, raw);

        if (!raw.AsSpan().StartsWith("cxsparse"u8))
        {
            throw new ImageException(ImageErrorKind.Corrupt, name, "Invalid header magic");
        }

        uint blockSize = BinaryPrimitives.ReadUInt32BigEndian(raw.AsSpan(0x20));
        if (!uint.IsPow2(blockSize) || blockSize < SectorSize)
        {
            throw new ImageException(ImageErrorKind.Corrupt, name, $"Invalid block size {blockSize}");
        }

        uint entries = BinaryPrimitives.ReadUInt32BigEndian(raw.AsSpan(0x1c));
        if (entries * (long)blockSize < diskSize)
        {
            throw new ImageException(ImageErrorKind.Corrupt, name, "Page table too small");
        }

        if (entries > MaxEntries)
        {
            throw new ImageException(ImageErrorKind.Limit, name, $"Max Table Entries too large ({(int)entries})");
        }

        if (VpcChecksum.Of(raw, ChecksumAt) != BinaryPrimitives.ReadUInt32BigEndian(raw.AsSpan(ChecksumAt)))
        {
            throw new ImageException(ImageErrorKind.Corrupt, name, "Incorrect dynamic header checksum");
        }

        long tableOffset = BinaryPrimitives.ReadInt64BigEndian(raw.AsSpan(0x10));
        if (tableOffset < 0 || tableOffset > file.Length - entries * sizeof(uint))
        {
            throw new ImageException(ImageErrorKind.Truncated, name, "Error reading pagetable");
        }

        return new VpcDynamicHeader
        {
            TableOffset = tableOffset,
            MaxTableEntries = entries,
            BlockSize = blockSize,
            Parent = footer.Type == VpcFooter.TypeDifferencing ? VpcParent.Read(file, raw) : null,
        };
    }

    /// <summary>The header's two sectors, with their checksum.</summary>
    public byte[] Encode()
    {
        byte[] raw = new byte[Length];
        Span<byte> at = raw;
        "cxsparse"u8.CopyTo(at);
        BinaryPrimitives.WriteInt64BigEndian(at[0x08..], -1);
        BinaryPrimitives.WriteInt64BigEndian(at[0x10..], TableOffset);
        BinaryPrimitives.WriteUInt32BigEndian(at[0x18..], 0x00010000);
        BinaryPrimitives.WriteUInt32BigEndian(at[0x1c..], (uint)MaxTableEntries);
        BinaryPrimitives.WriteUInt32BigEndian(at[0x20..], (uint)BlockSize);
        BinaryPrimitives.WriteUInt32BigEndian(at[ChecksumAt..], VpcChecksum.Of(raw, ChecksumAt));
        return raw;
    }
}
