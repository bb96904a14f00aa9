using System.Globalization;

namespace ImageCluster.Imaging.Encryption.Luks;

/// <summary>The options of a new LUKS volume, checked; complaints are QEMU's.</summary>
internal sealed record LuksSettings
{
    private const ulong DefaultMilliseconds = 2000;

    public required CipherSpec Cipher { get; init; }

    public required DigestAlgorithm Digest { get; init; }

    /// <summary>How long unlocking a key slot should take, in milliseconds.</summary>
    public required ulong Milliseconds { get; init; }

    /// <summary>What is wrong with the settings together, which QEMU finds when it has the password; null for nothing.</summary>
    public ImageException? Objection { get; private init; }

    /// <summary>Bytes that header and key slots take: where the payload starts.</summary>
    public long HeaderLength => LuksHeader.Alignment
        + (LuksHeader.SlotCount * (long)LuksHeader.MaterialSectors((uint)Cipher.KeyLength) * SectorCipher.SectorLength);

    /// <summary>Mode and generator as a header names them.</summary>
    public string ModeText => $"{CipherSpec.NameOf(Cipher.Mode)}-{CipherSpec.NameOf(Cipher.Vector)}"
        + (Cipher.VectorDigest is null ? "" : $":{Cipher.VectorDigest.Name}");

    /// <param name="options">Of create.</param>
    /// <param name="prefix">What stands before each option's name: <c>encrypt.</c> or nothing.</param>
    /// <param name="file">For messages.</param>
    public static LuksSettings Read(IReadOnlyDictionary<string, string> options, string prefix, string? file)
    {
        string Text(string name, string otherwise) => options.GetValueOrDefault(prefix + name, otherwise);

        string cipherName = Text("cipher-alg", "aes-256");
        BlockAlgorithm? algorithm = BlockAlgorithm.Find(cipherName);
        if (algorithm is null && cipherName is not ("des" or "3des"))
        {
            throw NotAccepted(file, "cipher-alg", cipherName);
        }

        string modeName = Text("cipher-mode", "xts");
        SectorMode mode = CipherSpec.FindMode(modeName) ?? throw NotAccepted(file, "cipher-mode", modeName);
        string vectorName = Text("ivgen-alg", "plain64");
        VectorAlgorithm vector = CipherSpec.FindVector(vectorName) ?? throw NotAccepted(file, "ivgen-alg", vectorName);
        DigestAlgorithm? vectorDigest = options.TryGetValue(prefix + "ivgen-hash-alg", out string? name)
            ? DigestAlgorithm.Find(name) ?? throw NotAccepted(file, "ivgen-hash-alg", name)
            : vector == VectorAlgorithm.Essiv ? DigestAlgorithm.Sha256 : null;
        string digestName = Text("hash-alg", "sha256");
        DigestAlgorithm digest = DigestAlgorithm.Find(digestName) ?? throw NotAccepted(file, "hash-alg", digestName);
        ulong milliseconds = ReadMilliseconds(options.GetValueOrDefault(prefix + "iter-time"), file);
        CipherSpec spec = new(algorithm ?? BlockAlgorithm.Find("aes-256")!, mode, vector, vectorDigest);
        ImageException? objection = algorithm is null ? new ImageException(ImageErrorKind.Unsupported, file, $"Algorithm '{cipherName}' not supported") : ObjectionTo(spec, digest, file);
        return new LuksSettings { Cipher = spec, Digest = digest, Milliseconds = milliseconds, Objection = objection };
    }

    /// <summary>Refuses settings that do not go together.</summary>
    public void RequireUsable()
    {
        if (Objection is not null)
        {
            throw Objection;
        }
    }

    private static ImageException? ObjectionTo(CipherSpec spec, DigestAlgorithm digest, string? file)
    {
        try
        {
            LuksCipher.CheckEssiv(spec, file);
            new LuksCipher(spec, digest).RequireUsable(file);
            return null;
        }
        catch (ImageException e)
        {
            return e;
        }
    }

    /// <summary>The time to spend in PBKDF2 (<c>iter-time</c>) in milliseconds; QEMU's default where <paramref name="text"/> is null.</summary>
    public static ulong ReadMilliseconds(string? text, string? file)
    {
        if (text is null)
        {
            return DefaultMilliseconds;
        }

        return ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out ulong value)
            ? value
            : throw new ImageException(ImageErrorKind.InvalidArgument, file, "Parameter 'iter-time' expects a number");
    }

    private static ImageException NotAccepted(string? file, string option, string value) =>
        new(ImageErrorKind.InvalidArgument, file, $"Parameter '{option}' does not accept value '{value}'");
}
