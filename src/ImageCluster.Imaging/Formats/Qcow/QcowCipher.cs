using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Security.Cryptography;

namespace ImageCluster.Imaging.Formats.Qcow;

/// <summary>
/// qcow's legacy encryption: AES-128 in CBC mode, each sector of 512 bytes for itself with its guest sector number as the IV, and the
/// password's first 16 bytes as the key. Weak by today's measure; kept so that such images can be read. Safe from any number of threads.
/// </summary>
internal sealed class QcowCipher : IDisposable
{
    public const int SectorSize = 512;

    private const int KeyLength = 16;
    private readonly byte[] _key = new byte[KeyLength];
    private readonly ConcurrentBag<Aes> _free = [];

    public QcowCipher(ReadOnlySpan<byte> password) => password[..Math.Min(password.Length, KeyLength)].CopyTo(_key);

    /// <summary>Whole sectors, in place.</summary>
    /// <param name="guestOffset">Bytes, a multiple of 512.</param>
    /// <param name="sectors">The bytes.</param>
    public void Decrypt(long guestOffset, Span<byte> sectors) => Each(guestOffset, sectors, static (aes, from, iv, to) => aes.DecryptCbc(from, iv, to, PaddingMode.None));

    /// <inheritdoc cref="Decrypt"/>
    public void Encrypt(long guestOffset, Span<byte> sectors) => Each(guestOffset, sectors, static (aes, from, iv, to) => aes.EncryptCbc(from, iv, to, PaddingMode.None));

    public void Dispose()
    {
        CryptographicOperations.ZeroMemory(_key);
        while (_free.TryTake(out Aes? aes))
        {
            aes.Dispose();
        }
    }

    private delegate int Transform(Aes aes, ReadOnlySpan<byte> from, ReadOnlySpan<byte> iv, Span<byte> to);

    private void Each(long guestOffset, Span<byte> sectors, Transform transform)
    {
        if (!_free.TryTake(out Aes? aes))
        {
            aes = Aes.Create();
            aes.Key = _key;
        }

        Span<byte> iv = stackalloc byte[16];
        iv.Clear();
        for (int at = 0; at < sectors.Length; at += SectorSize)
        {
            BinaryPrimitives.WriteInt64LittleEndian(iv, (guestOffset + at) / SectorSize);
            Span<byte> sector = sectors.Slice(at, SectorSize);
            transform(aes, sector, iv, sector);
        }

        _free.Add(aes);
    }
}
