using System.Buffers.Binary;
using ImageCluster.Imaging.Formats.BlockTables;
using ImageCluster.Imaging.Formats.Filling;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Parallels;

/// <summary>Fills a new Parallels image.</summary>
internal sealed class ParallelsFill(IBlockFile file, CreateRequest request, ParallelsLayout layout) : BlockTableFill(file, request, layout.FillLayout)
{
    public static IFillTarget Create(CreateRequest request)
    {
        ParallelsLayout layout = new(request);
        return new ParallelsFill(ParallelsCreator.CreateFile(request, layout), request, layout);
    }

    public static IFillTarget Open(CreateRequest request)
    {
        ParallelsLayout layout = new(request);
        return new ParallelsFill(request.Locator.Open(request.FileName, request.Mode), request, layout);
    }

    protected override (long Offset, byte[] Entries) EncodeEntries(long firstBlock, ReadOnlySpan<long> hosts)
    {
        byte[] entries = new byte[hosts.Length * sizeof(uint)];
        for (int i = 0; i < hosts.Length; i++)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(entries.AsSpan(i * sizeof(uint)), (uint)(hosts[i] / Layout.BlockSize));
        }

        return (ParallelsHeader.Length + firstBlock * sizeof(uint), entries);
    }

    protected override void WriteHeaders() => File.Write(0, layout.Header.Encode());
}
