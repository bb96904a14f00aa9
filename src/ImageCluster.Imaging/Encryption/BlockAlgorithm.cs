namespace ImageCluster.Imaging.Encryption;

/// <summary>A block cipher with its key size, by QEMU's names; its blocks are 16 bytes.</summary>
/// <param name="Family">The name in a LUKS header: <c>aes</c>.</param>
/// <param name="KeyLength">Bytes.</param>
internal sealed record BlockAlgorithm(string Family, int KeyLength)
{
    public const int BlockLength = 16;

    // QEMU's, in the order of its own list; those of other families are known by name only.
    private static readonly BlockAlgorithm[] Known =
    [
        new("aes", 16), new("aes", 24), new("aes", 32), new("cast5", 16), new("serpent", 16), new("serpent", 24), new("serpent", 32),
        new("twofish", 16), new("twofish", 24), new("twofish", 32),
    ];

    public static BlockAlgorithm Aes128 { get; } = Known[0];

    public static BlockAlgorithm Aes256 { get; } = Known[2];

    /// <summary>QEMU's name, e.g. <c>aes-256</c>.</summary>
    public string Name => $"{Family}-{KeyLength * 8}";

    /// <summary>False for what QEMU has and this engine does not.</summary>
    public bool IsAvailable => Family == "aes";

    /// <summary>By QEMU's name; null for one that QEMU's LUKS does not offer either.</summary>
    public static BlockAlgorithm? Find(string name) => Array.Find(Known, algorithm => algorithm.Name == name);

    /// <summary>By a LUKS header's name and the key's length in bytes; null where there is none.</summary>
    public static BlockAlgorithm? Find(string family, long keyLength) =>
        Array.Find(Known, algorithm => algorithm.Family == family && algorithm.KeyLength == keyLength);

    public IBlockTransform CreateTransform(ReadOnlySpan<byte> key, bool encrypt) => IsAvailable
        ? new AesTransform(key, encrypt)
        : throw new InvalidOperationException($"The cipher {Name} is not available.");
}
