using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Vmdk;

/// <summary>Where a descriptor stands: the whole of a file, or sectors of a sparse extent.</summary>
/// <param name="File">The file.</param>
/// <param name="Offset">Bytes.</param>
/// <param name="Room">Bytes that the text may have.</param>
/// <param name="IsWholeFile">The file has nothing else.</param>
internal sealed record DescriptorPlace(IBlockFile File, long Offset, int Room, bool IsWholeFile)
{
    /// <summary>Sectors of an embedded descriptor where the header says none (QEMU never looks).</summary>
    public const int DefaultSectors = 20;

    public static DescriptorPlace WholeFile(IBlockFile file) => new(file, 0, VmdkLimits.MaxDescriptorBytes, IsWholeFile: true);

    /// <summary>The place that a header names.</summary>
    public static DescriptorPlace Embedded(IBlockFile file, SparseHeader header)
    {
        long fileSectors = VmdkLimits.DivideUp(file.Length, VmdkLimits.SectorSize);
        if (header.DescriptorOffset == 0)
        {
            throw NoDescriptor(file);
        }

        if (header.DescriptorOffset >= (ulong)fileSectors)
        {
            header.Validate(file, write: false);
            throw new ImageException(ImageErrorKind.Truncated, file.Name,
                $"invalid VMDK image descriptor: it stands at sector {header.DescriptorOffset:#,0}, the file has {fileSectors:#,0}");
        }

        ulong sectors = header.DescriptorSize == 0 ? DefaultSectors : header.DescriptorSize;
        int room = (int)Math.Min(sectors, VmdkLimits.MaxDescriptorBytes / VmdkLimits.SectorSize) * VmdkLimits.SectorSize;
        return new DescriptorPlace(file, (long)header.DescriptorOffset * VmdkLimits.SectorSize, room, IsWholeFile: false);
    }

    /// <summary>The text's bytes.</summary>
    public byte[] Read()
    {
        byte[] bytes = new byte[Math.Max(0, Math.Min(Room, File.Length - Offset))];
        int read = File.Read(Offset, bytes);
        return Descriptor.TextOf(bytes.AsSpan(0, read)).ToArray();
    }

    /// <summary>Takes the text apart.</summary>
    public Descriptor Parse(bool withExtents)
    {
        byte[] text = Read();
        return text.Length > 0 || IsWholeFile ? Descriptor.Parse(text, File.Name, withExtents) : throw NoDescriptor(File);
    }

    /// <summary>Replaces the text.</summary>
    public void Write(ReadOnlySpan<byte> text)
    {
        if (text.Length > Room)
        {
            throw new ImageException(ImageErrorKind.Limit, File.Name, $"Descriptor of {text.Length:#,0} bytes does not fit into its {Room:#,0}");
        }

        File.Write(Offset, text);
    }

    /// <summary>Replaces the content id and nothing else.</summary>
    public void WriteContentId(uint contentId)
    {
        byte[] old = Read();
        byte[] text = Descriptor.WithContentId(old, contentId);
        if (text.Length >= old.Length)
        {
            Write(text);
            return;
        }

        // Longer digits than eight: keep what the new text does not cover from being read as a part of it.
        text.CopyTo(old, 0);
        old.AsSpan(text.Length).Clear();
        Write(old);
    }

    /// <summary>The file is a part of an image and cannot be opened by itself.</summary>
    public static ImageException NoDescriptor(IBlockFile file) =>
        new(ImageErrorKind.Unsupported, file.Name, "invalid VMDK image descriptor: the file has none, so it is an extent of another image")
        {
            Hint = "Open the file that holds the descriptor.",
        };
}
