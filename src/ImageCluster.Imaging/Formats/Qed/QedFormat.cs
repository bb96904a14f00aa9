using ImageCluster.Imaging.Formats.Filling;

namespace ImageCluster.Imaging.Formats.Qed;

/// <summary>QEMU's enhanced disk format (QED).</summary>
public sealed class QedFormat : ImageFormat
{
    public override string Name => "qed";

    public override bool SupportsBacking => true;

    public override int Probe(ReadOnlySpan<byte> head, string fileName) => QedHeader.HasMagic(head) ? 100 : 0;

    public override IReadOnlyList<CreateOption> CreateOptions { get; } =
    [
        new("size", CreateOptionType.Size, "Virtual disk size"),
        new("backing_file", CreateOptionType.Text, "File name of a base image"),
        new("backing_fmt", CreateOptionType.Text, "Image format of the base image"),
        new("cluster_size", CreateOptionType.Size, "Cluster size (in bytes)", "65536"),
        new("table_size", CreateOptionType.Size, "L1/L2 table size (in clusters)"),
    ];

    public override IImageLayer Open(OpenContext context) => QedReader.Open(context);

    public override void Create(CreateRequest request) => QedCreator.Create(request);

    public override IFillTarget CreateFill(CreateRequest request) => QedFill.Create(request);

    public override IFillTarget OpenFill(CreateRequest request) => QedFill.Open(request);
}
