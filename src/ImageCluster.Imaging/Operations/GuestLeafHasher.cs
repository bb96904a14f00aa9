using System.Security.Cryptography;

namespace ImageCluster.Imaging.Operations;

/// <summary>
/// Hashes one leaf of <see cref="GuestDigest.LeafLength"/> bytes after the other from pieces that come in order. A leaf of nothing
/// but zeros that were stated as such is not hashed at all. Belongs to one thread; reuse it.
/// </summary>
public sealed class GuestLeafHasher : IDisposable
{
    private static readonly byte[] Zeroes = new byte[64 << 10];

    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private int _length;
    private int _pendingZeroes;

    /// <summary>Bytes that the leaf still takes.</summary>
    public int Room => GuestDigest.LeafLength - _length;

    /// <summary>Adds the leaf's next bytes, at most <see cref="Room"/>.</summary>
    public void Append(ReadOnlySpan<byte> data)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(data.Length, Room);
        if (data.IsEmpty)
        {
            return;
        }

        HashPendingZeroes();
        _hash.AppendData(data);
        _length += data.Length;
    }

    /// <summary>Adds <paramref name="length"/> zero bytes, at most <see cref="Room"/>.</summary>
    public void AppendZeroes(int length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, Room);
        _pendingZeroes += length;
        _length += length;
    }

    /// <summary>The leaf's hash, what is missing counting as zeros; the next leaf starts.</summary>
    public GuestHash Finish()
    {
        AppendZeroes(Room);
        bool onlyZeroes = _pendingZeroes == GuestDigest.LeafLength;
        if (onlyZeroes)
        {
            Reset();
            return GuestDigest.ZeroNode(0);
        }

        HashPendingZeroes();
        Span<byte> bytes = stackalloc byte[GuestHash.Length];
        _hash.GetHashAndReset(bytes);
        Reset();
        return new GuestHash(bytes);
    }

    public void Dispose() => _hash.Dispose();

    private void Reset()
    {
        _length = 0;
        _pendingZeroes = 0;
    }

    private void HashPendingZeroes()
    {
        for (; _pendingZeroes > 0; _pendingZeroes -= Math.Min(_pendingZeroes, Zeroes.Length))
        {
            _hash.AppendData(Zeroes, 0, Math.Min(_pendingZeroes, Zeroes.Length));
        }
    }
}
