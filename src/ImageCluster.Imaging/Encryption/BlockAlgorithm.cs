using Org.BouncyCastle.Crypto.Engines;

namespace ImageCluster.Imaging.Encryption;

/// <summary>A block cipher with its key size, by QEMU's names.</summary>
/// <param name="Family">The name in a LUKS header: <c>aes</c>.</param>
/// <param name="KeyLength">Bytes.</param>
/// <param name="BlockLength">Bytes.</param>
internal sealed record BlockAlgorithm(string Family, int KeyLength, int BlockLength = BlockAlgorithm.UsualBlockLength)
{
    /// <summary>Of all but cast5.</summary>
    public const int UsualBlockLength = 16;

    // QEMU's, in the order of its own list. (It knows des and 3des by name and refuses them for LUKS.)
    private static readonly BlockAlgorithm[] Known =
    [
        new("aes", 16), new("aes", 24), new("aes", 32), new("cast5", 16, BlockLength: 8), new("serpent", 16), new("serpent", 24), new("serpent", 32),
        new("twofish", 16), new("twofish", 24), new("twofish", 32),
    ];

    public static BlockAlgorithm Aes128 { get; } = Known[0];

    public static BlockAlgorithm Aes256 { get; } = Known[2];

    /// <summary>QEMU's name, e.g. <c>aes-256</c>.</summary>
    public string Name => $"{Family}-{KeyLength * 8}";

    /// <summary>By QEMU's name; null for one that QEMU's LUKS does not offer either.</summary>
    public static BlockAlgorithm? Find(string name) => Array.Find(Known, algorithm => algorithm.Name == name);

    /// <summary>By a LUKS header's name and the key's length in bytes; null where there is none.</summary>
    public static BlockAlgorithm? Find(string family, long keyLength) =>
        Array.Find(Known, algorithm => algorithm.Family == family && algorithm.KeyLength == keyLength);

    public IBlockTransform CreateTransform(ReadOnlySpan<byte> key, bool encrypt) => Family switch
    {
        "aes" => new AesTransform(key, encrypt),
        "serpent" => new LibraryTransform(new SerpentEngine(), key, encrypt),
        "twofish" => new LibraryTransform(new TwofishEngine(), key, encrypt),
        _ => new LibraryTransform(new Cast5Engine(), key, encrypt),
    };
}
