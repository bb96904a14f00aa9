using System.Buffers.Binary;
using ImageCluster.Imaging.Formats.BlockTables;
using ImageCluster.Imaging.Formats.Filling;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Vpc;

/// <summary>Fills a new VHD.</summary>
internal sealed class VpcFill(IBlockFile file, CreateRequest request, VpcLayout layout) : BlockTableFill(file, request, LayoutOf(layout))
{
    private const int SectorSize = 512;

    public static IFillTarget Create(CreateRequest request)
    {
        VpcLayout layout = new(request);
        return new VpcFill(VpcCreator.CreateFile(request, layout), request, layout);
    }

    public static IFillTarget Open(CreateRequest request)
    {
        VpcLayout layout = new(request);
        return new VpcFill(request.Locator.Open(request.FileName, request.Mode), request, layout);
    }

    // The footer comes behind this.
    protected override long FileLength => layout.IsFixed ? layout.DiskSize : End;

    protected override (long Offset, byte[] Entries) EncodeEntries(long firstBlock, ReadOnlySpan<long> hosts)
    {
        byte[] entries = new byte[hosts.Length * sizeof(uint)];
        for (int i = 0; i < hosts.Length; i++)
        {
            BinaryPrimitives.WriteUInt32BigEndian(entries.AsSpan(i * sizeof(uint)),
                hosts[i] == 0 ? VpcDynamicHeader.Unallocated : (uint)((hosts[i] - Layout.Prefix) / SectorSize));
        }

        return (VpcLayout.EntryOffset(firstBlock), entries);
    }

    protected override void WritePrefix(long offset)
    {
        Span<byte> allPresent = stackalloc byte[Layout.Prefix];
        allPresent.Fill(0xff);
        File.Write(offset, allPresent);
    }

    protected override void WriteHeaders() => VpcCreator.WriteHeaders(File, layout, FileLength);

    private static BlockFillLayout LayoutOf(VpcLayout layout) =>
        new(layout.DiskSize, VpcDynamicHeader.DefaultBlockSize, layout.FirstBlock)
        {
            Fixed = layout.IsFixed,
            Prefix = layout.Header.BitmapSize,
        };
}
