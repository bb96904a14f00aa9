using System.Collections.Concurrent;
using System.Security.Cryptography;

namespace ImageCluster.Imaging.Encryption;

/// <summary>Encrypts and decrypts the 512-byte sectors of one disk. Safe from any number of threads, each of which gets working memory of its own.</summary>
internal sealed class SectorCipher : IDisposable
{
    public const int SectorLength = SectorTransform.SectorLength;

    private readonly ConcurrentBag<SectorTransform> _free = [];
    private readonly CipherSpec _spec;
    private readonly byte[] _key;
    private volatile bool _disposed;

    /// <param name="spec">What encrypts.</param>
    /// <param name="key">As long as <see cref="CipherSpec.KeyLength"/> says; copied.</param>
    public SectorCipher(CipherSpec spec, ReadOnlySpan<byte> key)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(key.Length, spec.KeyLength, nameof(key));
        _spec = spec;
        _key = key.ToArray();
    }

    /// <summary>Encrypts whole sectors in place, the first of which has number <paramref name="first"/>.</summary>
    public void Encrypt(long first, Span<byte> sectors)
    {
        SectorTransform transform = Rent();
        transform.Encrypt(first, sectors);
        Return(transform);
    }

    /// <summary>Decrypts whole sectors in place, the first of which has number <paramref name="first"/>.</summary>
    public void Decrypt(long first, Span<byte> sectors)
    {
        SectorTransform transform = Rent();
        transform.Decrypt(first, sectors);
        Return(transform);
    }

    public void Dispose()
    {
        _disposed = true;
        Drain();
        CryptographicOperations.ZeroMemory(_key);
    }

    private SectorTransform Rent()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        return _free.TryTake(out SectorTransform? transform) ? transform : SectorTransform.Create(_spec, _key);
    }

    private void Return(SectorTransform transform)
    {
        _free.Add(transform);
        if (_disposed)
        {
            Drain();
        }
    }

    private void Drain()
    {
        while (_free.TryTake(out SectorTransform? transform))
        {
            transform.Dispose();
        }
    }
}
