using System.Buffers.Binary;
using ImageCluster.Imaging.Formats.BlockTables;
using ImageCluster.Imaging.Formats.Filling;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Vdi;

/// <summary>Fills a new VDI image.</summary>
internal sealed class VdiFill : BlockTableFill
{
    private readonly VdiLayout _layout;

    public VdiFill(IBlockFile file, CreateRequest request, VdiLayout layout)
        : base(file, request, new BlockFillLayout(layout.DiskSize, VdiHeader.BlockSize, layout.DataOffset) { Fixed = layout.IsStatic })
    {
        _layout = layout;

        // A dynamic image must not have gaps between its blocks: its count of blocks is the number of the next one.
        ShardsIndependent &= layout.IsStatic;
    }

    public static IFillTarget Create(CreateRequest request)
    {
        VdiLayout layout = new(request);
        return new VdiFill(VdiCreator.CreateFile(request, layout), request, layout);
    }

    public static IFillTarget Open(CreateRequest request)
    {
        VdiLayout layout = new(request);
        return new VdiFill(request.Locator.Open(request.FileName, request.Mode), request, layout);
    }

    protected override (long Offset, byte[] Entries) EncodeEntries(long firstBlock, ReadOnlySpan<long> hosts)
    {
        byte[] entries = new byte[hosts.Length * sizeof(uint)];
        for (int i = 0; i < hosts.Length; i++)
        {
            (long index, long rest) = Math.DivRem(hosts[i] - _layout.DataOffset, VdiHeader.BlockSize);
            if (hosts[i] != 0 && rest != 0)
            {
                throw new InvalidOperationException($"Room at {hosts[i]:#,0} is no multiple of a VDI block behind the first.");
            }

            BinaryPrimitives.WriteUInt32LittleEndian(entries.AsSpan(i * sizeof(uint)), hosts[i] == 0 ? VdiHeader.Unallocated : (uint)index);
        }

        return (VdiHeader.Length + firstBlock * sizeof(uint), entries);
    }

    protected override void WriteHeaders() =>
        File.Write(0, _layout.Header(_layout.IsStatic ? _layout.Blocks : (uint)PublishedBlocks).Encode());
}
