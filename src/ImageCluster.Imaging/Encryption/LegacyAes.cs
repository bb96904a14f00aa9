using System.Security.Cryptography;

namespace ImageCluster.Imaging.Encryption;

/// <summary>
/// The encryption of qcow and of old qcow2 images: AES-128 in CBC mode, vectors from the guest's sector number, the key the password's first 16 bytes. Weak
/// (the password is the key, vectors are known); for images that are there.
/// </summary>
internal static class LegacyAes
{
    private const int KeyLength = 16;

    private static readonly CipherSpec Spec = new(BlockAlgorithm.Aes128, SectorMode.Cbc, VectorAlgorithm.Plain64);

    /// <summary>The cipher of a password. Any password gives one: whether it is right shows only in the data.</summary>
    public static SectorCipher Create(ReadOnlySpan<byte> password)
    {
        password = Passwords.Trim(password);
        Span<byte> key = stackalloc byte[KeyLength];
        key.Clear();
        password[..Math.Min(password.Length, KeyLength)].CopyTo(key);
        SectorCipher cipher = new(Spec, key);
        CryptographicOperations.ZeroMemory(key);
        return cipher;
    }
}
