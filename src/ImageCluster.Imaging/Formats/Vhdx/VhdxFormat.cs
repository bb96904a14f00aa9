using ImageCluster.Imaging.Formats.Filling;

namespace ImageCluster.Imaging.Formats.Vhdx;

/// <summary>Hyper-V virtual hard disks, version 1 (VHDX): fixed and dynamic; differencing ones (AVHDX) are read.</summary>
public sealed class VhdxFormat : ImageFormat
{
    public override string Name => "vhdx";

    public override int Probe(ReadOnlySpan<byte> head, string fileName) => VhdxHeaders.HasSignature(head) ? 100 : 0;

    public override IReadOnlyList<CreateOption> CreateOptions { get; } =
    [
        new("size", CreateOptionType.Size, "Virtual disk size; max of 64TB."),
        new("log_size", CreateOptionType.Size, "Log size; min 1MB.", "1048576"),
        new("block_size", CreateOptionType.Size, "Block Size; min 1MB, max 256MB. 0 means auto-calculate based on image size.", "0"),
        new("subformat", CreateOptionType.Text, "VHDX format type, can be either 'dynamic' or 'fixed'. Default is 'dynamic'."),
        new("block_state_zero", CreateOptionType.Flag,
            "Force use of payload blocks of type 'ZERO'. Non-standard, but default.  Do not set to 'off' when using 'qemu-img convert' with subformat=dynamic."),
    ];

    public override IImageLayer Open(OpenContext context) => VhdxReader.Open(context);

    public override void Create(CreateRequest request) => VhdxCreator.Create(request);

    public override IFillTarget CreateFill(CreateRequest request) => VhdxFill.Create(request);

    public override IFillTarget OpenFill(CreateRequest request) => VhdxFill.Open(request);
}
