using ImageCluster.Imaging.Encryption;
using ImageCluster.Imaging.Encryption.Luks;
using ImageCluster.Imaging.Formats.Filling;

namespace ImageCluster.Imaging.Formats.Luks;

/// <summary>LUKS version 1: a raw disk behind a LUKS header (LUKS1 on-disk format specification 1.2.3).</summary>
public sealed class LuksFormat : ImageFormat
{
    private const int Certain = 100;

    public override string Name => "luks";

    public override int Probe(ReadOnlySpan<byte> head, string fileName) => LuksHeader.HasMagic(head) ? Certain : 0;

    public override IReadOnlyList<CreateOption> CreateOptions { get; } =
    [
        new("size", CreateOptionType.Size, "Virtual disk size"),
        new("key-secret", CreateOptionType.Text, "ID of the secret that provides the keyslot passphrase"),
        new("cipher-alg", CreateOptionType.Text, "Name of encryption cipher algorithm"),
        new("cipher-mode", CreateOptionType.Text, "Name of encryption cipher mode"),
        new("ivgen-alg", CreateOptionType.Text, "Name of IV generator algorithm"),
        new("ivgen-hash-alg", CreateOptionType.Text, "Name of IV generator hash algorithm"),
        new("hash-alg", CreateOptionType.Text, "Name of encryption hash algorithm"),
        new("iter-time", CreateOptionType.Number, "Time to spend in PBKDF in milliseconds"),
    ];

    public override IReadOnlyList<CreateOption> AmendOptions { get; } = KeySlotOptions.WithPrefix("");

    public override IImageLayer Open(OpenContext context) => LuksLayer.Open(context);

    public override void Create(CreateRequest request) => new LuksCreator(request).Create().Dispose();

    public override IFillTarget CreateFill(CreateRequest request) => new LuksCreator(request).CreateFill();

    public override IFillTarget OpenFill(CreateRequest request) => new LuksCreator(request).OpenFill();

    /// <remarks>All of the disk is written, whatever the source holds: what is not written would decrypt to noise.</remarks>
    public override MeasureResult? Measure(MeasureRequest request)
    {
        _ = Passwords.Require(request.Secret, "key-secret", null);
        LuksSettings settings = LuksSettings.Read(request.Options, "", null);
        settings.RequireUsable();
        long length = checked(settings.HeaderLength + request.VirtualSize);
        return new MeasureResult(length, length);
    }
}
