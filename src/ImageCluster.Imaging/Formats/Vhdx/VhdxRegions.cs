using System.Buffers.Binary;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Vhdx;

/// <summary>A range of the file that a structure occupies, bytes.</summary>
internal readonly record struct VhdxRegion(long Start, long Length)
{
    public long End => Start + Length;

    public bool Overlaps(long start, long length) => start < End && Start < start + length;
}

/// <summary>The regions of an image: log, block table, metadata and whatever else the region table lists.</summary>
internal sealed class VhdxRegions
{
    public const long FirstTableAt = 192 << 10;
    public const long SecondTableAt = 256 << 10;
    public const int TableLength = 64 << 10;

    private const int MiB = 1 << 20;
    private const int HeaderLength = 16;
    private const int EntryLength = 32;
    private const uint MaxEntries = 2047;
    private const uint Required = 1;

    private readonly List<VhdxRegion> _all = [];
    private readonly string _name;

    private VhdxRegions(string name) => _name = name;

    public VhdxRegion Bat { get; private set; }

    public VhdxRegion Metadata { get; private set; }

    /// <summary>Reads the first region table, or the second where the first is damaged.</summary>
    public static VhdxRegions Read(IBlockFile file, string name, VhdxHeader header)
    {
        VhdxRegions regions = new(name);
        regions.Add(header.LogOffset, header.LogLength);
        byte[] raw = new byte[TableLength];
        file.ReadPadded(FirstTableAt, raw);
        if (!IsIntact(raw))
        {
            file.ReadPadded(SecondTableAt, raw);
            if (!IsIntact(raw))
            {
                throw new ImageException(ImageErrorKind.Corrupt, name, "No valid VHDX region table found");
            }
        }

        regions.Take(raw);
        return regions;
    }

    /// <summary>The table for a new image.</summary>
    public static byte[] Encode(VhdxRegion bat, VhdxRegion metadata)
    {
        byte[] raw = new byte[TableLength];
        "regi"u8.CopyTo(raw);
        BinaryPrimitives.WriteUInt32LittleEndian(raw.AsSpan(8), 2);
        Encode(raw.AsSpan(HeaderLength), VhdxIds.BatRegion, bat);
        Encode(raw.AsSpan(HeaderLength + EntryLength), VhdxIds.MetadataRegion, metadata);
        VhdxChecksum.Seal(raw);
        return raw;
    }

    /// <summary>What is wrong with a payload block at that place, or null: it must not lie over a structure.</summary>
    public string? Conflict(long start, long length)
    {
        foreach (VhdxRegion region in _all)
        {
            if (region.Overlaps(start, length))
            {
                return $"VHDX region {start}-{start + length} overlaps with region {region.Start}-{region.End}";
            }
        }

        return null;
    }

    private static bool IsIntact(ReadOnlySpan<byte> raw) => raw.StartsWith("regi"u8) && VhdxChecksum.IsRight(raw);

    private static void Encode(Span<byte> entry, Guid id, VhdxRegion region)
    {
        id.TryWriteBytes(entry);
        BinaryPrimitives.WriteInt64LittleEndian(entry[16..], region.Start);
        BinaryPrimitives.WriteUInt32LittleEndian(entry[24..], (uint)region.Length);
    }

    private void Take(ReadOnlySpan<byte> raw)
    {
        uint count = BinaryPrimitives.ReadUInt32LittleEndian(raw[8..]);
        if (count > MaxEntries)
        {
            throw Corrupt($"VHDX region table has {count} entries, max is {MaxEntries}");
        }

        for (int i = 0; i < count; i++)
        {
            ReadOnlySpan<byte> entry = raw.Slice(HeaderLength + i * EntryLength, EntryLength);
            Guid id = new(entry[..16]);
            bool isKnown = id == VhdxIds.BatRegion || id == VhdxIds.MetadataRegion;
            VhdxRegion region = Add(
                BinaryPrimitives.ReadUInt64LittleEndian(entry[16..]), BinaryPrimitives.ReadUInt32LittleEndian(entry[24..]), isKnown ? MiB : 0UL);
            if (id == VhdxIds.BatRegion)
            {
                Bat = Bat == default ? region : throw Corrupt("VHDX region table names two block allocation tables");
            }
            else if (id == VhdxIds.MetadataRegion)
            {
                Metadata = Metadata == default ? region : throw Corrupt("VHDX region table names two metadata regions");
            }
            else if ((BinaryPrimitives.ReadUInt32LittleEndian(entry[28..]) & Required) != 0)
            {
                throw new ImageException(ImageErrorKind.Unsupported, _name, $"VHDX region {id} is required and not known");
            }
        }

        if (Bat == default || Metadata == default)
        {
            throw Corrupt("VHDX region table does not name block allocation table and metadata");
        }
    }

    private VhdxRegion Add(ulong start, uint length, ulong minStart = MiB)
    {
        if (start < minStart || start > long.MaxValue - uint.MaxValue)
        {
            throw Corrupt($"VHDX region at offset {start} lies outside the image");
        }

        VhdxRegion region = new((long)start, length);
        if (Conflict(region.Start, length) is { } conflict)
        {
            throw Corrupt(conflict);
        }

        _all.Add(region);
        return region;
    }

    private ImageException Corrupt(string message) => new(ImageErrorKind.Corrupt, _name, message);
}
