namespace ImageCluster.Imaging.Encryption.Luks;

/// <summary>What the names in a LUKS header mean, refused in QEMU's words where they mean nothing.</summary>
/// <param name="Cipher">What encrypts payload and key material.</param>
/// <param name="Digest">What stretches passwords and splits keys.</param>
internal sealed record LuksCipher(CipherSpec Cipher, DigestAlgorithm Digest)
{
    /// <exception cref="ImageException">A name is unknown to QEMU too.</exception>
    public static LuksCipher Of(LuksHeader header, string? file)
    {
        // <mode>-<generator>[:<hash>]
        int dash = header.CipherMode.IndexOf('-');
        if (dash < 0)
        {
            throw Unsupported(file, $"Unexpected cipher mode string format '{header.CipherMode}'");
        }

        string generator = header.CipherMode[(dash + 1)..];
        int colon = generator.IndexOf(':');
        DigestAlgorithm? vectorDigest = colon < 0 ? null : FindDigest(generator[(colon + 1)..], file);
        generator = colon < 0 ? generator : generator[..colon];
        string modeName = header.CipherMode[..dash];
        SectorMode mode = CipherSpec.FindMode(modeName) ?? throw Unsupported(file, $"Cipher mode '{modeName}' not supported");
        uint keyLength = mode == SectorMode.Xts ? header.KeyLength / 2 : header.KeyLength;
        BlockAlgorithm algorithm = BlockAlgorithm.Find(header.CipherName, keyLength)
            ?? throw Unsupported(file, $"Algorithm '{header.CipherName}' with key size {(int)keyLength} bytes not supported");
        DigestAlgorithm digest = FindDigest(header.HashName, file);
        VectorAlgorithm vector = CipherSpec.FindVector(generator) ?? throw Unsupported(file, $"IV generator '{generator}' not supported");
        CipherSpec spec = new(algorithm, mode, vector, vectorDigest);
        CheckEssiv(spec, file);
        return spec.KeyLength == header.KeyLength
            ? new LuksCipher(spec, digest)
            : throw Unsupported(file, $"Algorithm '{header.CipherName}' with key size {(int)keyLength} bytes not supported");
    }

    /// <summary>ESSIV needs a hash, and a cipher whose key is as long as the hash.</summary>
    public static void CheckEssiv(CipherSpec spec, string? file)
    {
        if (spec.Vector != VectorAlgorithm.Essiv)
        {
            return;
        }

        if (spec.VectorDigest is null)
        {
            throw Unsupported(file, "Missing IV generator hash specification");
        }

        if (spec.EssivAlgorithm is null)
        {
            throw Unsupported(file, spec.Algorithm.Family switch
            {
                "aes" => $"No AES cipher with key size {spec.VectorDigest.Length} available",
                "serpent" => $"No Serpent cipher with key size {spec.VectorDigest.Length} available",
                "twofish" => $"No Twofish cipher with key size {spec.VectorDigest.Length} available",
                _ => $"Cipher {spec.Algorithm.Name} not supported with essiv",
            });
        }
    }

    /// <summary>XTS is made for blocks of 16 bytes. QEMU describes such an image, and refuses to encrypt or decrypt.</summary>
    public void RequireUsable(string? file)
    {
        if (Cipher.Mode == SectorMode.Xts && Cipher.Algorithm.BlockLength != BlockAlgorithm.UsualBlockLength)
        {
            throw Unsupported(file, "Unsupported cipher mode xts");
        }
    }

    private static DigestAlgorithm FindDigest(string name, string? file) =>
        DigestAlgorithm.Find(name) ?? throw Unsupported(file, $"Hash algorithm '{name}' not supported");

    private static ImageException Unsupported(string? file, string message) => new(ImageErrorKind.Unsupported, file, message);
}
