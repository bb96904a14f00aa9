using System.Buffers.Binary;
using System.Text;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Qcow2;

/// <summary>An entry of the directory of persistent bitmaps.</summary>
/// <param name="Name">1 to 1,023 bytes.</param>
/// <param name="TableOffset">Host offset in bytes of the bitmap's table.</param>
/// <param name="TableEntries">64-bit entries of the table.</param>
/// <param name="Flags">See <see cref="BitmapFlags"/>.</param>
/// <param name="GranularityBits">Base-2 logarithm of the guest bytes that a bit stands for, 9 to 31.</param>
internal sealed record PersistentBitmap(string Name, long TableOffset, uint TableEntries, BitmapFlags Flags, int GranularityBits);

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

/// <summary>Reads the directory of persistent bitmaps, with QEMU's limits and words.</summary>
internal static class BitmapDirectory
{
    private const int EntryLength = 24;
    private const int MinGranularityBits = 9;
    private const int MaxGranularityBits = 31;
    private const int MaxNameLength = 1023;
    private const uint MaxTableEntries = 0x8000000;
    private const byte DirtyTrackingType = 1;

    public static IReadOnlyList<PersistentBitmap> Read(IBlockFile file, Header header)
    {
        if (header.Bitmaps is not { } pointer)
        {
            return [];
        }

        if (pointer.DirectorySize == 0)
        {
            throw Failure(file, ImageErrorKind.Corrupt, "Requested bitmap directory size is zero");
        }

        if (pointer.DirectorySize > file.Length - pointer.DirectoryOffset)
        {
            throw Failure(file, ImageErrorKind.Truncated, "Failed to read bitmap directory: the file ends before it does");
        }

        byte[] bytes = new byte[pointer.DirectorySize];
        file.ReadExactly(pointer.DirectoryOffset, bytes, "the bitmap directory");
        List<PersistentBitmap> bitmaps = [];
        for (ReadOnlySpan<byte> directory = bytes; directory.Length > 0;)
        {
            if (directory.Length < EntryLength)
            {
                throw Failure(file, ImageErrorKind.Corrupt, "Broken bitmap directory");
            }

            if (bitmaps.Count == pointer.Count)
            {
                throw Failure(file, ImageErrorKind.Corrupt, "More bitmaps found than specified in header extension");
            }

            uint nameLength = BinaryPrimitives.ReadUInt16BigEndian(directory[18..]);
            uint extraLength = BinaryPrimitives.ReadUInt32BigEndian(directory[20..]);
            long length = (EntryLength + (long)nameLength + extraLength + 7) & ~7L;
            if (length > directory.Length)
            {
                throw Failure(file, ImageErrorKind.Corrupt, "Broken bitmap directory");
            }

            if (extraLength != 0)
            {
                throw Failure(file, ImageErrorKind.Unsupported, "Bitmap extra data is not supported");
            }

            bitmaps.Add(Entry(file, header, directory, Encoding.UTF8.GetString(directory.Slice(EntryLength, (int)nameLength))));
            directory = directory[(int)length..];
        }

        return bitmaps.Count == pointer.Count
            ? bitmaps
            : throw Failure(file, ImageErrorKind.Corrupt, "Less bitmaps found than specified in header extension");
    }

    private static PersistentBitmap Entry(IBlockFile file, Header header, ReadOnlySpan<byte> entry, string name)
    {
        ulong tableOffset = BinaryPrimitives.ReadUInt64BigEndian(entry);
        uint tableEntries = BinaryPrimitives.ReadUInt32BigEndian(entry[8..]);
        BitmapFlags flags = (BitmapFlags)BinaryPrimitives.ReadUInt32BigEndian(entry[12..]);
        int granularityBits = entry[17];
        int nameLength = BinaryPrimitives.ReadUInt16BigEndian(entry[18..]);
        bool good = tableEntries is > 0 and <= MaxTableEntries
            && tableOffset != 0
            && tableOffset <= long.MaxValue
            && (tableOffset & ((1UL << header.ClusterBits) - 1)) == 0
            && granularityBits is >= MinGranularityBits and <= MaxGranularityBits
            && (flags & ~BitmapFlags.Known) == 0
            && nameLength <= MaxNameLength
            && entry[16] == DirtyTrackingType
            && (UInt128)tableEntries << header.ClusterBits <= 0x20000000
            && ((flags & BitmapFlags.InUse) != 0 || Covers(tableEntries, header, granularityBits));
        return good
            ? new PersistentBitmap(name, (long)tableOffset, tableEntries, flags, granularityBits)
            : throw Failure(file, ImageErrorKind.Corrupt, $"Bitmap '{name}' doesn't satisfy the constraints");
    }

    // A bitmap that was saved properly has a bit for each granule of the disk.
    private static bool Covers(uint tableEntries, Header header, int granularityBits) =>
        (UInt128)tableEntries << (header.ClusterBits + 3 + granularityBits) >= (UInt128)header.VirtualSize;

    private static ImageException Failure(IBlockFile file, ImageErrorKind kind, string message) => new(kind, file.Name, message);
}
