using System.Buffers.Binary;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Vhdx;

/// <summary>The metadata region: sizes, flags, and who the parent is. Sizes in bytes.</summary>
internal sealed record VhdxMetadata
{
    public const int MaxBlockSize = 256 << 20;
    public const int MinBlockSize = 1 << 20;
    public const long MaxDiskSize = 64L << 40;

    /// <summary>Length of a metadata region that is made here.</summary>
    public const int RegionLength = 1 << 20;

    private const int TableLength = 64 << 10;
    private const int EntryLength = 32;
    private const int MaxItemLength = 1 << 20;
    private const uint IsVirtualDisk = 2;
    private const uint IsRequired = 4;
    private const uint LeaveBlocksAllocated = 1;
    private const uint HasParent = 2;

    public required int BlockSize { get; init; }

    /// <summary>Every block is to keep its place.</summary>
    public bool IsFixed { get; init; }

    public required long DiskSize { get; init; }

    public int LogicalSectorSize { get; init; } = 512;

    public int PhysicalSectorSize { get; init; } = 512;

    public Guid DiskId { get; init; }

    public VhdxParent? Parent { get; init; }

    public static VhdxMetadata Read(IBlockFile file, string name, VhdxRegion region)
    {
        Dictionary<Guid, (long Offset, int Length)> items = ReadTable(file, name, region);
        ReadOnlySpan<byte> parameters = Item(file, name, items, VhdxIds.FileParameters, 8);
        uint blockSize = BinaryPrimitives.ReadUInt32LittleEndian(parameters);
        uint flags = BinaryPrimitives.ReadUInt32LittleEndian(parameters[4..]);
        if (blockSize is < MinBlockSize or > MaxBlockSize || !uint.IsPow2(blockSize))
        {
            throw Corrupt(name, $"VHDX block size {blockSize} is not a power of two from {MinBlockSize} to {MaxBlockSize}");
        }

        uint logical = BinaryPrimitives.ReadUInt32LittleEndian(Item(file, name, items, VhdxIds.LogicalSectorSize, 4));
        if (logical is not (512 or 4096))
        {
            throw Corrupt(name, $"VHDX logical sector size {logical} is neither 512 nor 4096");
        }

        uint physical = BinaryPrimitives.ReadUInt32LittleEndian(Item(file, name, items, VhdxIds.PhysicalSectorSize, 4));
        ulong size = BinaryPrimitives.ReadUInt64LittleEndian(Item(file, name, items, VhdxIds.VirtualDiskSize, 8));
        if (size > MaxDiskSize)
        {
            throw new ImageException(ImageErrorKind.Limit, name, "Image size too large; max of 64TB");
        }

        return new VhdxMetadata
        {
            BlockSize = (int)blockSize,
            IsFixed = (flags & LeaveBlocksAllocated) != 0,
            DiskSize = (long)size / logical * logical,
            LogicalSectorSize = (int)logical,
            PhysicalSectorSize = (int)physical,
            DiskId = new Guid(Item(file, name, items, VhdxIds.Page83Data, 16).AsSpan(0, 16)),
            Parent = (flags & HasParent) == 0 ? null : VhdxParent.Decode(Item(file, name, items, VhdxIds.ParentLocator, 20), name),
        };
    }

    /// <summary>The table of a new image, and its items, which come right behind.</summary>
    public byte[] Encode()
    {
        byte[] raw = new byte[TableLength + 40];
        "metadata"u8.CopyTo(raw);
        BinaryPrimitives.WriteUInt16LittleEndian(raw.AsSpan(10), 5);
        Span<byte> items = raw.AsSpan(TableLength);
        BinaryPrimitives.WriteInt32LittleEndian(items, BlockSize);
        BinaryPrimitives.WriteUInt32LittleEndian(items[4..], IsFixed ? LeaveBlocksAllocated : 0);
        BinaryPrimitives.WriteInt64LittleEndian(items[8..], DiskSize);
        DiskId.TryWriteBytes(items[16..]);
        BinaryPrimitives.WriteInt32LittleEndian(items[32..], LogicalSectorSize);
        BinaryPrimitives.WriteInt32LittleEndian(items[36..], PhysicalSectorSize);
        Encode(raw, 1, VhdxIds.FileParameters, 0, 8, IsRequired);
        Encode(raw, 2, VhdxIds.VirtualDiskSize, 8, 8, IsRequired | IsVirtualDisk);
        Encode(raw, 3, VhdxIds.Page83Data, 16, 16, IsRequired | IsVirtualDisk);
        Encode(raw, 4, VhdxIds.LogicalSectorSize, 32, 4, IsRequired | IsVirtualDisk);
        Encode(raw, 5, VhdxIds.PhysicalSectorSize, 36, 4, IsRequired | IsVirtualDisk);
        return raw;
    }

    private static void Encode(byte[] raw, int slot, Guid id, uint offset, uint length, uint flags)
    {
        Span<byte> entry = raw.AsSpan(slot * EntryLength, EntryLength);
        id.TryWriteBytes(entry);
        BinaryPrimitives.WriteUInt32LittleEndian(entry[16..], TableLength + offset);
        BinaryPrimitives.WriteUInt32LittleEndian(entry[20..], length);
        BinaryPrimitives.WriteUInt32LittleEndian(entry[24..], flags);
    }

    private static Dictionary<Guid, (long Offset, int Length)> ReadTable(IBlockFile file, string name, VhdxRegion region)
    {
        byte[] raw = new byte[TableLength];
        file.ReadPadded(region.Start, raw);
        if (!raw.AsSpan().StartsWith("metadata"u8))
        {
            throw Corrupt(name, $"VHDX metadata table at offset {region.Start} has a wrong signature");
        }

        int count = BinaryPrimitives.ReadUInt16LittleEndian(raw.AsSpan(10));
        if (count > TableLength / EntryLength - 1)
        {
            throw Corrupt(name, $"VHDX metadata table has {count} entries, max is {TableLength / EntryLength - 1}");
        }

        Dictionary<Guid, (long, int)> items = [];
        for (int i = 1; i <= count; i++)
        {
            ReadOnlySpan<byte> entry = raw.AsSpan(i * EntryLength, EntryLength);
            Guid id = new(entry[..16]);
            if (!IsKnown(id))
            {
                if ((BinaryPrimitives.ReadUInt32LittleEndian(entry[24..]) & IsRequired) != 0)
                {
                    throw new ImageException(ImageErrorKind.Unsupported, name, $"VHDX metadata item {id} is required and not known");
                }

                continue;
            }

            uint offset = BinaryPrimitives.ReadUInt32LittleEndian(entry[16..]);
            uint length = BinaryPrimitives.ReadUInt32LittleEndian(entry[20..]);
            if (length > MaxItemLength)
            {
                throw Corrupt(name, $"VHDX metadata item {id} claims {length} bytes");
            }

            if (!items.TryAdd(id, (region.Start + offset, (int)length)))
            {
                throw Corrupt(name, $"VHDX metadata item {id} is there twice");
            }
        }

        return items;
    }

    // QEMU does not look at the length that the table states for an item of fixed size; neither is it held against an image here.
    private static byte[] Item(IBlockFile file, string name, Dictionary<Guid, (long Offset, int Length)> items, Guid id, int minLength)
    {
        if (!items.TryGetValue(id, out (long Offset, int Length) item))
        {
            throw new ImageException(ImageErrorKind.Unsupported, name, $"VHDX metadata item {id} is missing");
        }

        byte[] raw = new byte[Math.Max(minLength, item.Length)];
        file.ReadExactly(item.Offset, raw, "metadata item");
        return raw;
    }

    private static bool IsKnown(Guid id) =>
        id == VhdxIds.FileParameters || id == VhdxIds.VirtualDiskSize || id == VhdxIds.Page83Data ||
        id == VhdxIds.LogicalSectorSize || id == VhdxIds.PhysicalSectorSize || id == VhdxIds.ParentLocator;

    private static ImageException Corrupt(string name, string message) => new(ImageErrorKind.Corrupt, name, message);
}
