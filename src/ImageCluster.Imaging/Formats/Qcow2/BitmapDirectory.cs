using System.Buffers.Binary;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Qcow2;

/// <summary>An entry of the directory of persistent bitmaps.</summary>
/// <param name="Name">1 to 1,023 bytes.</param>
/// <param name="TableOffset">Host offset in bytes of the bitmap's table, a multiple of the cluster size; negative where a file claims one beyond 2^63.</param>
/// <param name="TableEntries">64-bit entries of the table.</param>
/// <param name="Flags">See <see cref="BitmapFlags"/>.</param>
/// <param name="GranularityBits">Base-2 logarithm of the guest bytes that a bit stands for, 9 to 31.</param>
internal sealed record PersistentBitmap(string Name, long TableOffset, uint TableEntries, BitmapFlags Flags, int GranularityBits)
{
    /// <summary>The name as it stands in the file.</summary>
    public byte[] NameBytes { get; init; } = NameText.GetBytes(Name);

    /// <summary>Bytes from the directory's start to this entry.</summary>
    public int Position { get; init; }

    public bool IsInconsistent => (Flags & BitmapFlags.InUse) != 0;
}

[Flags]
internal enum BitmapFlags : uint
{
    None = 0,

    /// <summary>It was not saved when the image was closed: its content is not to be trusted.</summary>
    InUse = 1,

    /// <summary>It records writes (is enabled).</summary>
    Auto = 2,

    Known = InUse | Auto,
}

/// <summary>The directory of persistent bitmaps in the file, with QEMU's limits and words.</summary>
internal static class BitmapDirectory
{
    /// <summary>Where in an entry its flags stand.</summary>
    public const int FlagsPosition = 12;

    public const int MinGranularityBits = 9;
    public const int MaxGranularityBits = 31;

    /// <summary>Bytes.</summary>
    public const int MaxNameLength = 1023;

    public const uint MaxTableEntries = 0x8000000;

    /// <summary>Bytes of a bitmap's bits.</summary>
    public const long MaxBytes = 0x20000000;

    private const int EntryLength = 24;
    private const byte DirtyTrackingType = 1;

    public static IReadOnlyList<PersistentBitmap> Read(IBlockFile file, Header header)
    {
        if (header.Bitmaps is not { } pointer)
        {
            return [];
        }

        ReadOnlySpan<byte> directory = ReadBytes(file, pointer);
        List<PersistentBitmap> bitmaps = [];
        long at = 0;
        for (; at < pointer.DirectorySize; at += Length(directory, at))
        {
            if (EntryLength > pointer.DirectorySize - at)
            {
                throw Broken(file);
            }

            if (bitmaps.Count == pointer.Count)
            {
                throw Failure(file, ImageErrorKind.Corrupt, "More bitmaps found than specified in header extension");
            }

            if (Length(directory, at) > pointer.DirectorySize - at)
            {
                throw Broken(file);
            }

            ReadOnlySpan<byte> entry = directory[(int)at..];
            if (BinaryPrimitives.ReadUInt32BigEndian(entry[20..]) != 0)
            {
                throw Failure(file, ImageErrorKind.Unsupported, "Bitmap extra data is not supported");
            }

            bitmaps.Add(Entry(file, header, entry) with { Position = (int)at });
        }

        return bitmaps.Count == pointer.Count
            ? bitmaps
            : throw Failure(file, ImageErrorKind.Corrupt, "Less bitmaps found than specified in header extension");
    }

    /// <summary>The directory's bytes, its length a multiple of 8.</summary>
    public static byte[] Serialize(IReadOnlyList<PersistentBitmap> bitmaps)
    {
        byte[] directory = new byte[bitmaps.Sum(static bitmap => LengthOf(bitmap.NameBytes.Length))];
        int at = 0;
        foreach (PersistentBitmap bitmap in bitmaps)
        {
            Span<byte> entry = directory.AsSpan(at);
            BinaryPrimitives.WriteInt64BigEndian(entry, bitmap.TableOffset);
            BinaryPrimitives.WriteUInt32BigEndian(entry[8..], bitmap.TableEntries);
            BinaryPrimitives.WriteUInt32BigEndian(entry[FlagsPosition..], (uint)bitmap.Flags);
            entry[16] = DirtyTrackingType;
            entry[17] = (byte)bitmap.GranularityBits;
            BinaryPrimitives.WriteUInt16BigEndian(entry[18..], (ushort)bitmap.NameBytes.Length);
            bitmap.NameBytes.CopyTo(entry[EntryLength..]);
            at += LengthOf(bitmap.NameBytes.Length);
        }

        return directory;
    }

    /// <summary>Bytes of an entry whose name has so many.</summary>
    public static int LengthOf(int nameLength) => (EntryLength + nameLength + 7) & ~7;

    // What the file does not have counts as zeros. An entry of zeros is an error, so that one of them is enough.
    private static ReadOnlySpan<byte> ReadBytes(IBlockFile file, BitmapsPointer pointer)
    {
        if (pointer.DirectorySize == 0)
        {
            throw Failure(file, ImageErrorKind.Corrupt, "Requested bitmap directory size is zero");
        }

        if ((ulong)pointer.DirectoryOffset > (ulong)(Header.MaxFileLength - pointer.DirectorySize))
        {
            throw Failure(file, ImageErrorKind.Io, "Failed to read bitmap directory: Input/output error");
        }

        long inFile = Math.Clamp(file.Length - pointer.DirectoryOffset, 0, pointer.DirectorySize);
        byte[] bytes = new byte[Math.Min(pointer.DirectorySize, inFile + LengthOf(ushort.MaxValue))];
        file.ReadPadded(pointer.DirectoryOffset, bytes);
        return bytes;
    }

    // As QEMU calculates it, in 32 bits.
    private static int Length(ReadOnlySpan<byte> directory, long at)
    {
        ReadOnlySpan<byte> entry = directory[(int)at..];
        int name = BinaryPrimitives.ReadUInt16BigEndian(entry[18..]);
        uint extra = BinaryPrimitives.ReadUInt32BigEndian(entry[20..]);
        return unchecked((EntryLength + name + (int)extra + 7) & ~7);
    }

    private static PersistentBitmap Entry(IBlockFile file, Header header, ReadOnlySpan<byte> entry)
    {
        ulong tableOffset = BinaryPrimitives.ReadUInt64BigEndian(entry);
        uint tableEntries = BinaryPrimitives.ReadUInt32BigEndian(entry[8..]);
        BitmapFlags flags = (BitmapFlags)BinaryPrimitives.ReadUInt32BigEndian(entry[FlagsPosition..]);
        int granularityBits = entry[17];
        ReadOnlySpan<byte> nameBytes = entry.Slice(EntryLength, BinaryPrimitives.ReadUInt16BigEndian(entry[18..]));
        int end = nameBytes.IndexOf((byte)0);
        string name = NameText.GetString(end < 0 ? nameBytes : nameBytes[..end]);
        bool good = tableEntries is > 0 and <= MaxTableEntries
            && tableOffset != 0
            && (tableOffset & ((1UL << header.ClusterBits) - 1)) == 0
            && granularityBits is >= MinGranularityBits and <= MaxGranularityBits
            && (flags & ~BitmapFlags.Known) == 0
            && nameBytes.Length <= MaxNameLength
            && entry[16] == DirtyTrackingType
            && (UInt128)tableEntries << header.ClusterBits <= MaxBytes
            && ((flags & BitmapFlags.InUse) != 0 || Covers(tableEntries, header, granularityBits));
        return good
            ? new PersistentBitmap(name, (long)tableOffset, tableEntries, flags, granularityBits) { NameBytes = nameBytes.ToArray() }
            : throw Failure(file, ImageErrorKind.Corrupt, $"Bitmap '{name}' doesn't satisfy the constraints");
    }

    // A bitmap that was saved properly has a bit for each granule of the disk.
    private static bool Covers(uint tableEntries, Header header, int granularityBits) =>
        (UInt128)tableEntries << (header.ClusterBits + 3 + granularityBits) >= (UInt128)header.VirtualSize;

    private static ImageException Broken(IBlockFile file) => Failure(file, ImageErrorKind.Corrupt, "Broken bitmap directory");

    private static ImageException Failure(IBlockFile file, ImageErrorKind kind, string message) => new(kind, file.Name, message);
}
