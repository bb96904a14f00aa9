using System.Text;
using ImageCluster.Imaging.Formats.BlockTables;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Vhdx;

/// <summary>Makes empty images, laid out as qemu-img does.</summary>
internal static class VhdxCreator
{
    private const int BlocksAtOnce = 8192;
    private const string Creator = "ImageCluster";

    public static void Create(CreateRequest request)
    {
        VhdxLayout layout = new(request);
        using IBlockFile file = CreateFile(request, layout);
        WriteHeaders(file, layout);
    }

    /// <summary>Creates the file with its block table and, for a fixed image, its blocks, but without what would make it an image.</summary>
    public static IBlockFile CreateFile(CreateRequest request, VhdxLayout layout)
    {
        // A device keeps its length, which must suffice: a fixed image's blocks are there.
        return NewImageFile.Create(request, layout.FirstBlock, file =>
        {
            if (layout.IsFixed)
            {
                file.SetLength(layout.FirstBlock + layout.Blocks * layout.BlockSize);
            }

            if (layout.IsFixed || layout.StateZero)
            {
                WriteTable(file, layout);
            }
        });
    }

    /// <summary>Writes metadata, region tables and headers, and the file's signature last.</summary>
    public static void WriteHeaders(IBlockFile file, VhdxLayout layout)
    {
        VhdxMetadata metadata = new()
        {
            BlockSize = layout.BlockSize,
            DiskSize = layout.DiskSize,
            IsFixed = layout.IsFixed,
            DiskId = Guid.NewGuid(),
        };
        byte[] regions = VhdxRegions.Encode(layout.Bat, layout.Metadata);
        VhdxHeader header = new()
        {
            SequenceNumber = (uint)Random.Shared.Next(),
            FileWriteId = Guid.NewGuid(),
            DataWriteId = Guid.NewGuid(),
            LogLength = (uint)layout.LogLength,
            LogOffset = VhdxLayout.MiB,
        };
        file.Write(layout.Metadata.Start, metadata.Encode());
        file.Write(VhdxRegions.FirstTableAt, regions);
        file.Write(VhdxRegions.SecondTableAt, regions);
        file.Write(VhdxHeaders.FirstAt, header.Encode());
        file.Write(VhdxHeaders.SecondAt, (header with { SequenceNumber = header.SequenceNumber + 1 }).Encode());
        file.Flush();
        file.Write(0, [.. "vhdxfile"u8, .. Encoding.Unicode.GetBytes(Creator)]);
    }

    private static void WriteTable(IBlockFile file, VhdxLayout layout)
    {
        long[] hosts = new long[Math.Min(BlocksAtOnce, layout.Blocks)];
        for (long block = 0; block < layout.Blocks; block += hosts.Length)
        {
            int count = (int)Math.Min(hosts.Length, layout.Blocks - block);
            for (int i = 0; i < count && layout.IsFixed; i++)
            {
                hosts[i] = layout.FirstBlock + (block + i) * layout.BlockSize;
            }

            (long offset, byte[] entries) = layout.EncodeEntries(block, hosts.AsSpan(0, count));
            file.Write(offset, entries);
        }
    }
}
