using System.Buffers.Binary;

namespace ImageCluster.Imaging.Formats.Vdi;

/// <summary>Where a new image has what, by its create options: header, block map rounded up to sectors, blocks.</summary>
internal sealed class VdiLayout
{
    private const int SectorSize = 512;

    public VdiLayout(CreateRequest request)
    {
        OptionReader options = new(request.Options, request.FileName);
        string preallocation = options.Choice("preallocation", "off", "off", "metadata", "falloc", "full");
        IsPreallocated = preallocation == "metadata";
        IsStatic = options.Flag("static", IsPreallocated);
        if (request.VirtualSize > VdiHeader.MaxDiskSize)
        {
            throw new ImageException(ImageErrorKind.Limit, request.FileName,
                $"Unsupported VDI image size (size is 0x{((ulong)request.VirtualSize + 511) & ~511UL:x}, max supported is 0x{VdiHeader.MaxDiskSize:x})");
        }

        DiskSize = (request.VirtualSize + SectorSize - 1) & -SectorSize;
        Blocks = (uint)((DiskSize + VdiHeader.BlockSize - 1) / VdiHeader.BlockSize);
        DataOffset = VdiHeader.Length + ((Blocks * sizeof(uint) + SectorSize - 1) & ~(SectorSize - 1u));
    }

    public bool IsStatic { get; }

    /// <summary>Static because the preallocation asked for it.</summary>
    public bool IsPreallocated { get; }

    public long DiskSize { get; }

    public uint Blocks { get; }

    public uint DataOffset { get; }

    /// <summary>Length of a file with so many blocks, bytes.</summary>
    public long LengthWith(long blocks) => DataOffset + blocks * VdiHeader.BlockSize;

    public VdiHeader Header(uint blocksAllocated) => new()
    {
        ImageType = IsStatic ? VdiHeader.TypeStatic : VdiHeader.TypeDynamic,
        BlockMapOffset = VdiHeader.Length,
        DataOffset = DataOffset,
        DiskSize = DiskSize,
        BlocksInImage = Blocks,
        BlocksAllocated = blocksAllocated,
        ImageId = Guid.NewGuid(),
        LastSnapshotId = Guid.NewGuid(),
    };

    /// <summary>The first entries of a new image's block map.</summary>
    public void FillEntries(long firstBlock, Span<byte> entries)
    {
        for (int at = 0; at < entries.Length; at += sizeof(uint))
        {
            long block = firstBlock + at / sizeof(uint);
            uint entry = block >= Blocks ? 0 : IsStatic ? (uint)block : VdiHeader.Unallocated;
            BinaryPrimitives.WriteUInt32LittleEndian(entries[at..], entry);
        }
    }
}
