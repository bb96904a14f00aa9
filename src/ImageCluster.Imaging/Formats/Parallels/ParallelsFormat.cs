using ImageCluster.Imaging.Formats.Filling;

namespace ImageCluster.Imaging.Formats.Parallels;

/// <summary>Parallels expandable images (hds), version 2, with either magic.</summary>
public sealed class ParallelsFormat : ImageFormat
{
    public override string Name => "parallels";

    public override int Probe(ReadOnlySpan<byte> head, string fileName) => ParallelsHeader.HasMagic(head) ? 100 : 0;

    public override IReadOnlyList<CreateOption> CreateOptions { get; } =
    [
        new("size", CreateOptionType.Size, "Virtual disk size"),
        new("cluster_size", CreateOptionType.Size, "Parallels image cluster size", "1048576"),
    ];

    public override IImageLayer Open(OpenContext context) => ParallelsReader.Open(context);

    public override void Create(CreateRequest request) => ParallelsCreator.Create(request);

    public override IFillTarget CreateFill(CreateRequest request) => ParallelsFill.Create(request);

    public override IFillTarget OpenFill(CreateRequest request) => ParallelsFill.Open(request);
}
