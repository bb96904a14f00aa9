using ImageCluster.Imaging.Encryption;
using ImageCluster.Imaging.Encryption.Luks;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Qcow2;

/// <summary>How a new image is to be encrypted; complaints are qemu-img's.</summary>
/// <param name="Luks">Null for the legacy AES.</param>
internal sealed record NewEncryption(LuksSettings? Luks)
{
    private const string Prefix = "encrypt.";

    public CryptMethod Method => Luks is null ? CryptMethod.Aes : CryptMethod.Luks;

    /// <summary>Reads the options; null where they ask for no encryption.</summary>
    public static NewEncryption? Read(IReadOnlyDictionary<string, string> options, string? file)
    {
        OptionReader reader = new(options, file);
        string? format = reader.Text("encrypt.format");
        bool isAes = reader.Flag("encryption", false);
        if (format is not null && isAes)
        {
            throw Invalid(file, "'encrypt.format' and its alias 'encryption' can't be used at the same time");
        }

        format ??= isAes ? "aes" : null;
        string[] given = [.. options.Keys.Where(static name => name.StartsWith(Prefix, StringComparison.Ordinal) && name != "encrypt.format")];
        switch (format)
        {
            case null when given.Length > 0:
                throw Invalid(file, "Parameter 'encrypt.format' is missing");
            case null:
                return null;
            case "aes":
                return Array.Find(given, static name => name != "encrypt.key-secret") is { } unexpected
                    ? throw Invalid(file, $"Parameter '{unexpected}' is unexpected")
                    : new NewEncryption(Luks: null);
            case "luks":
                return new NewEncryption(LuksSettings.Read(options, Prefix, file));
            default:
                throw Invalid(file, $"Parameter 'format' does not accept value '{format}'");
        }
    }

    /// <summary>The password of the new image.</summary>
    /// <exception cref="ImageException">There is none, or the settings do not go together.</exception>
    public byte[] Password(Func<string, byte[]?> secret, string? file)
    {
        byte[] password = Passwords.Require(secret, "encrypt.key-secret", file);
        Luks?.RequireUsable();
        return password;
    }

    /// <summary>Writes the LUKS header, with zeros up to the end of its last cluster, and gives the cipher of the clusters.</summary>
    public ISectorCipher Write(NewImage image, IBlockFile file, byte[] password)
    {
        if (Luks is null)
        {
            return OfPassword(password);
        }

        CryptoHeaderPointer place = image.Header.CryptoHeader!.Value;
        file.WriteZeroes(place.Offset, RefcountMath.DivideUp(place.Length, image.Layout.ClusterSize) * image.Layout.ClusterSize, ZeroMode.KeepAllocated);
        using LuksVolume volume = LuksVolume.Create(file, place.Offset, Luks, password);
        return ImageEncryption.Unlock(volume, password);
    }

    /// <summary>The cipher of an image that <see cref="Write"/> began.</summary>
    public ISectorCipher Open(NewImage image, IBlockFile file, byte[] password)
    {
        if (Luks is null)
        {
            return OfPassword(password);
        }

        CryptoHeaderPointer place = image.Header.CryptoHeader!.Value;
        using LuksVolume volume = LuksVolume.Open(file, place.Offset, place.Length);
        return ImageEncryption.Unlock(volume, password);
    }

    private static ClusterCipher OfPassword(byte[] password) => new(LegacyAes.Create(password), byHostOffset: false);

    private static ImageException Invalid(string? file, string message) => new(ImageErrorKind.InvalidArgument, file, message);
}
