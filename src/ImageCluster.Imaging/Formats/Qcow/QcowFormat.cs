using ImageCluster.Imaging.Formats.Filling;

namespace ImageCluster.Imaging.Formats.Qcow;

/// <summary>QEMU's first copy-on-write format (qcow, version 1).</summary>
public sealed class QcowFormat : ImageFormat
{
    public override string Name => "qcow";

    public override bool SupportsBacking => true;

    public override bool SupportsCompression => true;

    public override int Probe(ReadOnlySpan<byte> head, string fileName) => QcowHeader.IsQcow1(head) ? 100 : 0;

    public override IReadOnlyList<CreateOption> CreateOptions { get; } =
    [
        new("size", CreateOptionType.Size, "Virtual disk size"),
        new("backing_file", CreateOptionType.Text, "File name of a base image"),
        new("backing_fmt", CreateOptionType.Text, "Format of the backing image"),
        new("encryption", CreateOptionType.Flag, "Encrypt the image with format 'aes'. (Deprecated in favor of encrypt.format=aes)"),
        new("encrypt.format", CreateOptionType.Text, "Encrypt the image, format choices: 'aes'"),
        new("encrypt.key-secret", CreateOptionType.Text, "ID of the secret that provides the AES encryption key"),
    ];

    public override IImageLayer Open(OpenContext context) => QcowReader.Open(context);

    public override void Create(CreateRequest request) => QcowCreator.Create(request);

    public override IFillTarget CreateFill(CreateRequest request) => QcowFill.Create(request);

    public override IFillTarget OpenFill(CreateRequest request) => QcowFill.Open(request);
}
