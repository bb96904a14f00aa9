using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Vdi;

/// <summary>Makes empty images, as qemu-img lays them out.</summary>
internal static class VdiCreator
{
    private const int Chunk = 64 << 10;

    public static void Create(CreateRequest request)
    {
        VdiLayout layout = new(request);
        using IBlockFile file = CreateFile(request, layout);
        file.Write(0, layout.Header(layout.IsStatic ? layout.Blocks : 0).Encode());
    }

    /// <summary>Creates the file with its block map and room for a static image's blocks, but without the header.</summary>
    public static IBlockFile CreateFile(CreateRequest request, VdiLayout layout)
    {
        IBlockFile file = request.Locator.Create(request.FileName, 0, request.Mode);
        try
        {
            TakeRoom(file, layout);

            byte[] chunk = new byte[Math.Min(Chunk, layout.DataOffset - VdiHeader.Length)];
            for (long at = VdiHeader.Length; at < layout.DataOffset; at += chunk.Length)
            {
                Span<byte> entries = chunk.AsSpan(0, (int)Math.Min(chunk.Length, layout.DataOffset - at));
                layout.FillEntries((at - VdiHeader.Length) / sizeof(uint), entries);
                file.Write(at, entries);
            }

            return file;
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    // A device has its room, which must suffice.
    private static void TakeRoom(IBlockFile file, VdiLayout layout)
    {
        if (layout.IsPreallocated && file is LocalBlockDevice)
        {
            throw new ImageException(ImageErrorKind.Unsupported, file.Name, "Unsupported preallocation mode 'metadata'");
        }

        try
        {
            file.SetLength(layout.LengthWith(layout.IsStatic ? layout.Blocks : 0));
        }
        catch (ImageException e) when (layout.IsStatic)
        {
            // As QEMU has it, with nothing in between.
            throw e.Saying($"Failed to statically allocate file{e.Message}");
        }
    }
}
