using ImageCluster.Imaging.Formats.Filling;

namespace ImageCluster.Imaging.Formats.Vpc;

/// <summary>Virtual Hard Disk (VHD), which QEMU calls vpc: fixed and dynamic; differencing disks are read.</summary>
public sealed class VpcFormat : ImageFormat
{
    public override string Name => "vpc";

    public override int Probe(ReadOnlySpan<byte> head, string fileName) => VpcFooter.HasCookie(head) ? 100 : 0;

    public override IReadOnlyList<CreateOption> CreateOptions { get; } =
    [
        new("size", CreateOptionType.Size, "Virtual disk size"),
        new("subformat", CreateOptionType.Text, "Type of virtual hard disk format. Supported formats are {dynamic (default) | fixed} "),
        new("force_size", CreateOptionType.Flag, "Force disk size calculation to use the actual size specified, rather than using the nearest CHS-based calculation"),
    ];

    public override IImageLayer Open(OpenContext context) => VpcReader.Open(context);

    public override void Create(CreateRequest request) => VpcCreator.Create(request);

    public override IFillTarget CreateFill(CreateRequest request) => VpcFill.Create(request);

    public override IFillTarget OpenFill(CreateRequest request) => VpcFill.Open(request);
}
