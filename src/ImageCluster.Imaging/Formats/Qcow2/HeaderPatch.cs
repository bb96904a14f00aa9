using System.Buffers.Binary;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Qcow2;

/// <summary>Writes single fields of a header where they stand. Each is one write within one sector, so that a crash leaves the old or the new.</summary>
internal static class HeaderPatch
{
    public static void WriteVirtualSize(IBlockFile file, long size) => WriteInt64(file, 24, size);

    /// <summary>Number of entries and offset of the active L1 table.</summary>
    public static void WriteL1(IBlockFile file, int entries, long offset)
    {
        Span<byte> bytes = stackalloc byte[12];
        BinaryPrimitives.WriteInt32BigEndian(bytes, entries);
        BinaryPrimitives.WriteInt64BigEndian(bytes[4..], offset);
        file.Write(36, bytes);
    }

    public static void WriteRefcountTable(IBlockFile file, long offset, int clusters)
    {
        Span<byte> bytes = stackalloc byte[12];
        BinaryPrimitives.WriteInt64BigEndian(bytes, offset);
        BinaryPrimitives.WriteInt32BigEndian(bytes[8..], clusters);
        file.Write(48, bytes);
    }

    /// <summary>Everything that lies between the refcount table's offset and the width of refcounts, these included. Version 3 only.</summary>
    public static void WriteRefcounts(IBlockFile file, Header header)
    {
        Span<byte> bytes = stackalloc byte[52];
        BinaryPrimitives.WriteInt64BigEndian(bytes, header.RefcountTableOffset);
        BinaryPrimitives.WriteInt32BigEndian(bytes[8..], header.RefcountTableClusters);
        BinaryPrimitives.WriteInt32BigEndian(bytes[12..], header.SnapshotCount);
        BinaryPrimitives.WriteInt64BigEndian(bytes[16..], header.SnapshotsOffset);
        BinaryPrimitives.WriteUInt64BigEndian(bytes[24..], (ulong)header.Incompatible);
        BinaryPrimitives.WriteUInt64BigEndian(bytes[32..], (ulong)header.Compatible);
        BinaryPrimitives.WriteUInt64BigEndian(bytes[40..], (ulong)header.Autoclear);
        BinaryPrimitives.WriteInt32BigEndian(bytes[48..], header.RefcountOrder);
        file.Write(48, bytes);
    }

    public static void WriteSnapshots(IBlockFile file, int count, long offset)
    {
        Span<byte> bytes = stackalloc byte[12];
        BinaryPrimitives.WriteInt32BigEndian(bytes, count);
        BinaryPrimitives.WriteInt64BigEndian(bytes[4..], offset);
        file.Write(60, bytes);
    }

    /// <summary>Version 3 only.</summary>
    public static void WriteIncompatible(IBlockFile file, IncompatibleFeatures features) => WriteInt64(file, 72, (long)features);

    /// <summary>Version 3 only.</summary>
    public static void WriteAutoclear(IBlockFile file, AutoclearFeatures features) => WriteInt64(file, 88, (long)features);

    private static void WriteInt64(IBlockFile file, long at, long value)
    {
        Span<byte> bytes = stackalloc byte[8];
        BinaryPrimitives.WriteInt64BigEndian(bytes, value);
        file.Write(at, bytes);
    }
}
