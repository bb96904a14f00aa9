using ImageCluster.Imaging.Encryption;
using ImageCluster.Imaging.Encryption.Luks;
using ImageCluster.Imaging.Formats.Capabilities;

namespace ImageCluster.Imaging.Formats.Qcow2;

/// <summary>The encryption of an open image: its LUKS header where it has one, and the cipher of its clusters where the password was given.</summary>
internal sealed class ImageEncryption : IDisposable
{
    private const string KeySecret = "encrypt.key-secret";
    private const string Prefix = "encrypt.";

    private ImageEncryption(LuksVolume? volume, ISectorCipher? cipher)
    {
        Volume = volume;
        Cipher = cipher;
    }

    /// <summary>Null for the legacy AES.</summary>
    public LuksVolume? Volume { get; }

    /// <summary>Null where no password was given, which only an image that is merely described may lack.</summary>
    public ISectorCipher? Cipher { get; }

    /// <summary>Opens the encryption that a header tells of; null where it tells of none.</summary>
    public static ImageEncryption? Open(Header header, OpenContext context)
    {
        if (header.CryptMethod == CryptMethod.None)
        {
            return context.Options.TryGetValue("encrypt.format", out string? asked)
                ? throw new ImageException(ImageErrorKind.InvalidArgument, context.FileName, $"No encryption in image header, but options specified format '{asked}'")
                : null;
        }

        string format = header.CryptMethod == CryptMethod.Aes ? "aes" : "luks";
        if (context.Options.TryGetValue("encrypt.format", out string? stated) && stated != format)
        {
            throw new ImageException(ImageErrorKind.InvalidArgument, context.FileName,
                $"Header reported '{format}' encryption format but options specify '{stated}'");
        }

        byte[]? password = context.DescribeOnly ? null : Passwords.Require(context.Secret, KeySecret, context.FileName);
        if (header.CryptMethod == CryptMethod.Aes)
        {
            return new ImageEncryption(null, password is null ? null : new ClusterCipher(LegacyAes.Create(password), byHostOffset: false));
        }

        CryptoHeaderPointer place = header.CryptoHeader
            ?? throw new ImageException(ImageErrorKind.Corrupt, context.FileName, "Missing CRYPTO header extension");
        LuksVolume volume = LuksVolume.Open(context.File, place.Offset, place.Length);
        try
        {
            return new ImageEncryption(volume, password is null ? null : Unlock(volume, password));
        }
        catch
        {
            volume.Dispose();
            throw;
        }
    }

    /// <summary>Unlocks a volume and gives the cipher of the clusters.</summary>
    public static ISectorCipher Unlock(LuksVolume volume, ReadOnlySpan<byte> password)
    {
        if (!volume.IsUnlocked)
        {
            volume.Unlock(password);
        }

        return new ClusterCipher(volume.CreateCipher(), byHostOffset: true);
    }

    /// <summary>Changes key slots (amend).</summary>
    /// <param name="encryption">Of the image, or null.</param>
    /// <param name="request">Its options <c>encrypt.*</c>.</param>
    /// <param name="file">The image, for messages.</param>
    public static void Amend(ImageEncryption? encryption, AmendRequest request, string file)
    {
        if (encryption is null)
        {
            throw new ImageException(ImageErrorKind.Unsupported, file, "Can't amend encryption options - encryption not present");
        }

        if (encryption.Volume is null)
        {
            throw new ImageException(ImageErrorKind.Unsupported, file, "Only LUKS encryption options can be amended");
        }

        new LuksAmendment(encryption.Volume, request, Prefix, file).Apply();
    }

    public void Dispose()
    {
        Cipher?.Dispose();
        Volume?.Dispose();
    }
}
