using System.Security.Cryptography;
using Org.BouncyCastle.Crypto;
using Org.BouncyCastle.Crypto.Digests;
using Org.BouncyCastle.Crypto.Generators;
using Org.BouncyCastle.Crypto.Parameters;

namespace ImageCluster.Imaging.Encryption;

/// <summary>A hash function by QEMU's name.</summary>
/// <param name="Name">QEMU's name, which LUKS headers use too.</param>
/// <param name="Length">Of its digest, in bytes.</param>
/// <param name="System">The name by which the system's library derives keys with it; null for what only Bouncy Castle has.</param>
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

    /// <summary>By QEMU's name; null for one that QEMU does not have either.</summary>
    public static DigestAlgorithm? Find(string name) => Array.Find(Known, algorithm => algorithm.Name == name);

    /// <summary>Writes the digest of <paramref name="data"/> to the first <see cref="Length"/> bytes of <paramref name="digest"/>.</summary>
    public void Compute(ReadOnlySpan<byte> data, Span<byte> digest)
    {
        if (System is { } name)
        {
            CryptographicOperations.HashData(name, data, digest);
            return;
        }

        IDigest engine = CreateEngine();
        engine.BlockUpdate(data);
        engine.DoFinal(digest);
    }

    /// <summary>PBKDF2 (RFC 8018): derives as many bytes as <paramref name="key"/> has.</summary>
    public void DeriveKey(ReadOnlySpan<byte> password, ReadOnlySpan<byte> salt, int iterations, Span<byte> key)
    {
        if (System is { } name)
        {
            Rfc2898DeriveBytes.Pbkdf2(password, salt, key, iterations, name);
            return;
        }

        byte[] secret = password.ToArray();
        Pkcs5S2ParametersGenerator generator = new(CreateEngine());
        generator.Init(secret, salt.ToArray(), iterations);
        byte[] derived = ((KeyParameter)generator.GenerateDerivedMacParameters(key.Length * 8)).GetKey();
        derived.CopyTo(key);
        CryptographicOperations.ZeroMemory(derived);
        CryptographicOperations.ZeroMemory(secret);
    }

    private IDigest CreateEngine() => Name switch
    {
        "md5" => new MD5Digest(),
        "sha224" => new Sha224Digest(),
        _ => new RipeMD160Digest(),
    };
}
