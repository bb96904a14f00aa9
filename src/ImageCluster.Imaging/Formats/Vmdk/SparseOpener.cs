using ImageCluster.Imaging.Compression;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Vmdk;

/// <summary>Opens hosted sparse extents (magic <c>KDMV</c>), streams among them.</summary>
internal static class SparseOpener
{
    private const int FooterLength = 3 * VmdkLimits.SectorSize;

    public static SparseHeader ReadHeader(IBlockFile file)
    {
        Span<byte> sector = stackalloc byte[SparseHeader.Size];
        file.ReadPadded(0, sector);
        return SparseHeader.Parse(sector);
    }

    /// <summary>Makes an extent of a file whose header was read.</summary>
    /// <param name="file">Becomes the extent's.</param>
    /// <param name="header">The header; a footer is read where it says that there is one.</param>
    /// <param name="start">Guest offset of the extent, bytes.</param>
    /// <param name="lineType">The type that the descriptor's line states.</param>
    /// <param name="write">The image is opened for writing.</param>
    /// <param name="codec">Gives zlib for this image.</param>
    public static SparseExtent Open(IBlockFile file, SparseHeader header, long start, string lineType, bool write, Func<IClusterCodec> codec)
    {
        bool atEnd = header.DirectoryOffset == SparseHeader.DirectoryAtEnd;
        if (atEnd)
        {
            header = ReadFooter(file);
        }

        header.Validate(file, write);
        long fileSectors = VmdkLimits.DivideUp(file.Length, VmdkLimits.SectorSize);
        if (header.TableCount > 0 && (header.DirectoryOffset == 0 || header.DirectoryOffset > (ulong)fileSectors))
        {
            throw new ImageException(ImageErrorKind.Corrupt, file.Name, $"Could not read l1 table from extent '{file.Name}'");
        }

        long directoryOffset = header.TableCount > 0 ? (long)header.DirectoryOffset * VmdkLimits.SectorSize : 0;
        long grainBytes = (long)header.GrainSize * VmdkLimits.SectorSize;
        SparseDirectory directory = new(file, directoryOffset, header.TableCount, (int)header.EntriesPerTable,
            header.Flags.HasFlag(SparseFlags.ZeroedGrains));
        return new SparseExtent(start, (long)header.Capacity * VmdkLimits.SectorSize, directory, grainBytes, Grains(), lineType)
        {
            Header = header,
            IsStream = atEnd,
        };

        CompressedGrains? Grains()
        {
            if (!header.IsCompressed)
            {
                return null;
            }

            return grainBytes <= CompressedGrains.MaxGrainBytes
                ? new CompressedGrains(file, codec(), (int)grainBytes, header.Flags.HasFlag(SparseFlags.Markers))
                : throw new ImageException(ImageErrorKind.Limit, file.Name, $"Compressed grains of {grainBytes:#,0} bytes are not supported");
        }
    }

    // The last three sectors: a marker, the footer, the end-of-stream marker. The footer counts where it and the header differ.
    private static SparseHeader ReadFooter(IBlockFile file)
    {
        long offset = VmdkLimits.RoundUp(file.Length, VmdkLimits.SectorSize) - FooterLength;
        if (offset < 0)
        {
            throw new ImageException(ImageErrorKind.Truncated, file.Name, "Failed to read footer");
        }

        Span<byte> sectors = stackalloc byte[FooterLength];
        file.ReadPadded(offset, sectors);
        Span<byte> footer = sectors.Slice(VmdkLimits.SectorSize, VmdkLimits.SectorSize);
        if (!StreamMarker.Is(sectors, StreamMarkerKind.Footer) || !SparseHeader.HasMagic(footer) ||
            !StreamMarker.Is(sectors[(2 * VmdkLimits.SectorSize)..], StreamMarkerKind.EndOfStream))
        {
            throw new ImageException(ImageErrorKind.Truncated, file.Name, "Invalid footer")
            {
                Hint = "The stream was cut short, or is still being written.",
            };
        }

        return SparseHeader.Parse(footer);
    }
}
