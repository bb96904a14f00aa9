using System.Buffers.Binary;

namespace ImageCluster.Imaging.Formats.Vmdk;

internal enum StreamMarkerKind : uint
{
    EndOfStream = 0,
    GrainTable = 1,
    GrainDirectory = 2,
    Footer = 3,
}

/// <summary>
/// The markers of a stream (specification 1.1, "Stream-Optimized Compressed Sparse Extents"). A metadata marker is a sector of
/// its own: the number of sectors that follow, a size of 0, and its kind. A grain's marker is 12 bytes before the grain's data:
/// the grain's first sector in the guest, and the size of the data in bytes (never 0).
/// </summary>
internal static class StreamMarker
{
    public const int GrainMarkerSize = 12;

    /// <summary>Fills a sector with a metadata marker.</summary>
    /// <param name="sector">512 bytes.</param>
    /// <param name="kind">What follows.</param>
    /// <param name="sectors">How many sectors follow.</param>
    public static void Write(Span<byte> sector, StreamMarkerKind kind, long sectors)
    {
        sector[..VmdkLimits.SectorSize].Clear();
        BinaryPrimitives.WriteInt64LittleEndian(sector, sectors);
        BinaryPrimitives.WriteUInt32LittleEndian(sector[12..], (uint)kind);
    }

    public static bool Is(ReadOnlySpan<byte> sector, StreamMarkerKind kind) =>
        BinaryPrimitives.ReadUInt32LittleEndian(sector[8..]) == 0 &&
        BinaryPrimitives.ReadUInt32LittleEndian(sector[12..]) == (uint)kind &&
        (kind != StreamMarkerKind.EndOfStream || BinaryPrimitives.ReadUInt64LittleEndian(sector) == 0);

    public static void WriteGrain(Span<byte> target, long guestSector, int size)
    {
        BinaryPrimitives.WriteInt64LittleEndian(target, guestSector);
        BinaryPrimitives.WriteInt32LittleEndian(target[8..], size);
    }

    public static uint GrainDataSize(ReadOnlySpan<byte> marker) => BinaryPrimitives.ReadUInt32LittleEndian(marker[8..]);
}
