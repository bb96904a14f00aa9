using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Vpc;

/// <summary>Makes empty images, as qemu-img lays them out.</summary>
internal static class VpcCreator
{
    private const int Chunk = 64 << 10;

    public static void Create(CreateRequest request)
    {
        VpcLayout layout = new(request);
        using IBlockFile file = CreateFile(request, layout);
        WriteHeaders(file, layout, layout.IsFixed ? layout.DiskSize : layout.FirstBlock);
    }

    /// <summary>Creates the file with an empty block table, but without what would make it an image.</summary>
    public static IBlockFile CreateFile(CreateRequest request, VpcLayout layout)
    {
        IBlockFile file = request.Locator.Create(request.FileName, 0, request.Mode);
        try
        {
            if (layout.IsFixed)
            {
                // The footer too must find room on a device.
                file.SetLength(file.CanResize ? layout.DiskSize : layout.DiskSize + VpcFooter.Length);
                file.AllocateStart(layout.DiskSize);
            }

            Span<byte> unallocated = new byte[Chunk];
            unallocated.Fill(0xff);
            long table = VpcLayout.EntryOffset(0);
            while (table < layout.FirstBlock)
            {
                Span<byte> part = unallocated[..(int)Math.Min(Chunk, layout.FirstBlock - table)];
                file.Write(table, part);
                table += part.Length;
            }

            return file;
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Writes footer and headers; what says that the file is an image comes last.</summary>
    public static void WriteHeaders(IBlockFile file, VpcLayout layout, long end)
    {
        byte[] footer = layout.NewFooter(TimeProvider.System.GetUtcNow()).Encode();
        if (!layout.IsFixed)
        {
            file.Write(VpcFooter.Length, layout.Header.Encode());
        }

        file.Write(end, footer);
        if (!layout.IsFixed)
        {
            file.Flush();
            file.Write(0, footer);
        }
    }
}
