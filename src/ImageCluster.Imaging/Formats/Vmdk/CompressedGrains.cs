using System.Buffers;
using ImageCluster.Imaging.Compression;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Vmdk;

/// <summary>Reads and makes compressed grains: zlib data (RFC 1950) behind a marker, padded to whole sectors.</summary>
/// <param name="file">The extent's file.</param>
/// <param name="codec">Zlib; the image's to dispose.</param>
/// <param name="grainBytes">Bytes of a grain.</param>
/// <param name="markers">False in the rare images whose grains have no marker.</param>
internal sealed class CompressedGrains(IBlockFile file, IClusterCodec codec, int grainBytes, bool markers)
{
    /// <summary>A compressed grain is inflated as a whole, so its size is bounded far below <see cref="VmdkLimits.MaxGrainSectors"/> (everybody writes 64 KiB).</summary>
    public const int MaxGrainBytes = 16 << 20;

    public bool HasMarkers => markers;

    /// <summary>Bytes that the record of a grain can have at most.</summary>
    public static int MaxRecordOf(int grainBytes) =>
        (int)VmdkLimits.RoundUp(StreamMarker.GrainMarkerSize + StoredZlib.MaxLength(grainBytes), VmdkLimits.SectorSize);

    /// <summary>Reads a part of the grain whose record starts at <paramref name="host"/>.</summary>
    /// <param name="host">Bytes.</param>
    /// <param name="start">First byte wanted of the grain.</param>
    /// <param name="buffer">To be filled; ends within the grain.</param>
    public void Read(long host, int start, Span<byte> buffer)
    {
        // Most grains compress to half or better: one read gets these whole.
        byte[] record = ArrayPool<byte>.Shared.Rent(Math.Max(grainBytes / 2, VmdkLimits.SectorSize));
        try
        {
            int have = file.Read(host, record);
            (int dataStart, int dataLength) = FindData(host, record.AsSpan(0, have));
            int needed = dataStart + dataLength;
            if (needed > have)
            {
                record = Grow(record, needed);
                int more = file.Read(host + have, record.AsSpan(have, needed - have));
                if (markers && more < needed - have)
                {
                    throw new ImageException(ImageErrorKind.Truncated, file.Name,
                        $"Image is truncated: a compressed grain at offset {host:#,0} needs {needed:#,0} bytes, the file ends at {host + have + more:#,0}");
                }

                needed = have + more;
            }

            Inflate(record.AsSpan(dataStart..needed), start, buffer);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(record);
        }
    }

    /// <summary>
    /// Compresses a grain into a record: marker, data, zeros up to a whole sector. Returns the record's length.
    /// </summary>
    /// <param name="codec">Zlib.</param>
    /// <param name="grain">The grain's bytes, all of them.</param>
    /// <param name="guestSector">Where it stands in the guest.</param>
    /// <param name="target">At least <see cref="MaxRecordOf"/> bytes.</param>
    public static int WriteRecord(IClusterCodec codec, ReadOnlySpan<byte> grain, long guestSector, Span<byte> target)
    {
        Span<byte> data = target[StreamMarker.GrainMarkerSize..];
        int length = CompressionProbe.LooksIncompressible(grain) ? 0 : codec.Compress(grain, data[..grain.Length]);
        if (length == 0)
        {
            length = StoredZlib.Write(grain, data);
        }

        StreamMarker.WriteGrain(target, guestSector, length);
        int end = StreamMarker.GrainMarkerSize + length;
        int padded = (int)VmdkLimits.RoundUp(end, VmdkLimits.SectorSize);
        target[end..padded].Clear();
        return padded;
    }

    private static byte[] Grow(byte[] record, int length)
    {
        if (record.Length >= length)
        {
            return record;
        }

        byte[] bigger = ArrayPool<byte>.Shared.Rent(length);
        record.CopyTo(bigger, 0);
        ArrayPool<byte>.Shared.Return(record);
        return bigger;
    }

    private (int Start, int Length) FindData(long host, ReadOnlySpan<byte> record)
    {
        if (!markers)
        {
            return (0, grainBytes);
        }

        if (record.Length < StreamMarker.GrainMarkerSize)
        {
            throw new ImageException(ImageErrorKind.Truncated, file.Name, $"Image is truncated: no compressed grain at offset {host:#,0}");
        }

        // QEMU's bound: what does not compress grows a little, never to twice its size.
        uint size = StreamMarker.GrainDataSize(record);
        if (size == 0 || size > 2L * grainBytes)
        {
            throw new ImageException(ImageErrorKind.Corrupt, file.Name, $"Compressed grain at offset {host:#,0} claims {size:#,0} bytes");
        }

        return (StreamMarker.GrainMarkerSize, (int)size);
    }

    private void Inflate(ReadOnlySpan<byte> data, int start, Span<byte> buffer)
    {
        if (start == 0)
        {
            codec.Decompress(data, buffer);
            return;
        }

        int length = start + buffer.Length;
        byte[] grain = ArrayPool<byte>.Shared.Rent(length);
        try
        {
            codec.Decompress(data, grain.AsSpan(0, length));
            grain.AsSpan(start, buffer.Length).CopyTo(buffer);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(grain);
        }
    }
}
