using System.Security.Cryptography;

namespace ImageCluster.Imaging.Encryption;

/// <summary>A hash function by QEMU's name.</summary>
/// <param name="Name">QEMU's name, which LUKS headers use too.</param>
/// <param name="Length">Of its digest, in bytes.</param>
/// <param name="System">The system's name; null for what QEMU has and this engine does not.</param>
internal sealed record DigestAlgorithm(string Name, int Length, HashAlgorithmName? System)
{
    private static readonly DigestAlgorithm[] Known =
    [
        new("md5", 16, null),
        new("sha1", 20, HashAlgorithmName.SHA1),
        new("sha224", 28, null),
        new("sha256", 32, HashAlgorithmName.SHA256),
        new("sha384", 48, HashAlgorithmName.SHA384),
        new("sha512", 64, HashAlgorithmName.SHA512),
        new("ripemd160", 20, null),
    ];

    public static DigestAlgorithm Sha256 { get; } = Known[3];

    public bool IsAvailable => System is not null;

    /// <summary>By QEMU's name; null for one that QEMU does not have either.</summary>
    public static DigestAlgorithm? Find(string name) => Array.Find(Known, algorithm => algorithm.Name == name);

    /// <summary>Writes the digest of <paramref name="data"/> to the first <see cref="Length"/> bytes of <paramref name="digest"/>.</summary>
    public void Compute(ReadOnlySpan<byte> data, Span<byte> digest) => CryptographicOperations.HashData(SystemName, data, digest);

    /// <summary>PBKDF2 (RFC 8018): derives as many bytes as <paramref name="key"/> has.</summary>
    public void DeriveKey(ReadOnlySpan<byte> password, ReadOnlySpan<byte> salt, int iterations, Span<byte> key) =>
        Rfc2898DeriveBytes.Pbkdf2(password, salt, key, iterations, SystemName);

    private HashAlgorithmName SystemName => System ?? throw new InvalidOperationException($"The hash {Name} is not available.");
}
