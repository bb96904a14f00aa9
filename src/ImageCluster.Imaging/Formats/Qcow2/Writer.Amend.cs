using ImageCluster.Imaging.Formats.Capabilities;

namespace ImageCluster.Imaging.Formats.Qcow2;

/// <content>Changing options of an image that is there already (amend): the key slots of its encryption.</content>
internal sealed partial class WritableQcow2Image : IAmendable
{
    private const string EncryptionPrefix = "encrypt.";

    public void Amend(AmendRequest request)
    {
        if (request.Options.Keys.FirstOrDefault(static name => !name.StartsWith(EncryptionPrefix, StringComparison.Ordinal)) is { } other)
        {
            throw new ImageException(ImageErrorKind.Unsupported, FileName, $"Amending '{other}' is not supported");
        }

        if (request.Options.Count > 0)
        {
            ImageEncryption.Amend(Encryption, request, FileName);
        }
    }
}
