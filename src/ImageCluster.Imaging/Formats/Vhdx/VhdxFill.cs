using ImageCluster.Imaging.Formats.BlockTables;
using ImageCluster.Imaging.Formats.Filling;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Vhdx;

/// <summary>Fills a new VHDX.</summary>
internal sealed class VhdxFill(IBlockFile file, CreateRequest request, VhdxLayout layout) : BlockTableFill(file, request, layout.FillLayout)
{
    public static IFillTarget Create(CreateRequest request)
    {
        VhdxLayout layout = new(request);
        return new VhdxFill(VhdxCreator.CreateFile(request, layout), request, layout);
    }

    public static IFillTarget Open(CreateRequest request)
    {
        VhdxLayout layout = new(request);
        return new VhdxFill(request.Locator.Open(request.FileName, request.Mode), request, layout);
    }

    protected override (long Offset, byte[] Entries) EncodeEntries(long firstBlock, ReadOnlySpan<long> hosts) => layout.EncodeEntries(firstBlock, hosts);

    protected override void WriteHeaders() => VhdxCreator.WriteHeaders(File, layout);
}
