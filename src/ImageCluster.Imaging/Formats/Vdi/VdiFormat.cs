using ImageCluster.Imaging.Formats.Filling;

namespace ImageCluster.Imaging.Formats.Vdi;

/// <summary>VirtualBox disk images, version 1.1, dynamic and static.</summary>
public sealed class VdiFormat : ImageFormat
{
    public override string Name => "vdi";

    public override int Probe(ReadOnlySpan<byte> head, string fileName) => VdiHeader.HasSignature(head) ? 100 : 0;

    public override IReadOnlyList<CreateOption> CreateOptions { get; } =
    [
        new("size", CreateOptionType.Size, "Virtual disk size"),
        new("static", CreateOptionType.Flag, "VDI static (pre-allocated) image", "off"),
    ];

    public override IImageLayer Open(OpenContext context) => VdiReader.Open(context);

    public override void Create(CreateRequest request) => VdiCreator.Create(request);

    public override IFillTarget CreateFill(CreateRequest request) => VdiFill.Create(request);

    public override IFillTarget OpenFill(CreateRequest request) => VdiFill.Open(request);
}
