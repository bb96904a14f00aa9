using ImageCluster.Imaging.Formats.BlockTables;
using ImageCluster.Imaging.Formats.Filling;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Qed;

/// <summary>Fills a new QED image.</summary>
internal sealed class QedFill : TwoLevelFill
{
    private readonly QedLayout _layout;

    private QedFill(IBlockFile file, CreateRequest request, QedLayout layout)
        : base(file, request, layout.FillLayout, layout.Shape, layout.Header.Backing is not null)
    {
        _layout = layout;

        // A check finds every cluster that nothing refers to: room that a lost attempt took would be a leak for ever.
        ShardsIndependent = false;
    }

    public static IFillTarget Create(CreateRequest request)
    {
        QedLayout layout = new(request);
        return new QedFill(QedCreator.CreateFile(request, layout), request, layout);
    }

    public static IFillTarget Open(CreateRequest request)
    {
        QedLayout layout = new(request);
        return new QedFill(request.Locator.Open(request.FileName, request.Mode), request, layout);
    }

    protected override ulong EntryOf(long place) => place == StatedZero ? 1 : (ulong)place;

    protected override void WriteHeader() => File.Write(0, _layout.Header.Encode());
}
