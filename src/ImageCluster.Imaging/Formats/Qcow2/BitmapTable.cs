using System.Buffers.Binary;
using System.Runtime.InteropServices;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Qcow2;

/// <summary>A bitmap's table in the file: an entry for each cluster of bits (qemu docs/interop/qcow2.txt, "Bitmap table").</summary>
internal static class BitmapTable
{
    /// <summary>All bits of the cluster are set; it has no place in the file.</summary>
    public const ulong AllOnes = 1;

    private const ulong ReservedMask = 0xFF00_0000_0000_01FE;

    /// <summary>Host offset in bytes of an entry's cluster, 0 where its bits are all the same.</summary>
    public static long OffsetOf(ulong entry) => (long)(entry & Layout.OffsetMask);

    public static bool IsValid(ulong entry, Layout layout) =>
        (entry & ReservedMask) == 0 && (OffsetOf(entry) == 0 || ((entry & AllOnes) == 0 && layout.IsClusterAligned(OffsetOf(entry))));

    /// <summary>Entries of the table of a bitmap over a disk of <paramref name="size"/> bytes.</summary>
    public static long EntriesFor(long size, int granularityBits, Layout layout)
    {
        long bits = (size >> granularityBits) + ((size & ((1L << granularityBits) - 1)) == 0 ? 0 : 1);
        int shift = layout.ClusterBits + 3;
        return (bits >> shift) + ((bits & ((1L << shift) - 1)) == 0 ? 0 : 1);
    }

    /// <summary>Reads the table of a consistent bitmap, with QEMU's checks and words.</summary>
    public static ulong[] Load(IBlockFile file, Header header, Layout layout, PersistentBitmap bitmap)
    {
        if (!IsReadable(bitmap))
        {
            throw Failure("Input/output error", ImageErrorKind.Io);
        }

        // Memory for what the file has; what it ends before is zeros.
        ulong[] entries = Read(file, bitmap);
        if (Array.Exists(entries, entry => !IsValid(entry, layout)))
        {
            throw Failure("Invalid argument", ImageErrorKind.Corrupt);
        }

        if (bitmap.TableEntries != EntriesFor(header.VirtualSize, bitmap.GranularityBits, layout))
        {
            throw new ImageException(ImageErrorKind.Corrupt, file.Name, $"Could not read bitmap '{bitmap.Name}' from image: Invalid argument");
        }

        return entries;

        ImageException Failure(string reason, ImageErrorKind kind) =>
            new(kind, file.Name, $"Could not read bitmap_table table from image for bitmap '{bitmap.Name}': {reason}");
    }

    /// <summary>The table's entries as far as the file has them, not checked.</summary>
    public static ulong[] Read(IBlockFile file, PersistentBitmap bitmap)
    {
        long inFile = Math.Clamp((file.Length - bitmap.TableOffset + sizeof(ulong) - 1) / sizeof(ulong), 0, bitmap.TableEntries);
        ulong[] entries = new ulong[inFile];
        file.ReadPadded(bitmap.TableOffset, MemoryMarshal.AsBytes(entries.AsSpan()));
        if (BitConverter.IsLittleEndian)
        {
            BinaryPrimitives.ReverseEndianness(entries, entries);
        }

        return entries;
    }

    /// <summary>False where the table is said to stand where no file reaches.</summary>
    public static bool IsReadable(PersistentBitmap bitmap) =>
        (ulong)bitmap.TableOffset <= (ulong)(Header.MaxFileLength - (bitmap.TableEntries * (long)sizeof(ulong)));
}
