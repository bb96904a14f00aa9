using System.Buffers.Binary;
using System.Security.Cryptography;

namespace ImageCluster.Imaging.Encryption;

/// <summary>Makes the initialization vectors of consecutive sectors. For one thread at a time.</summary>
internal sealed class VectorGenerator : IDisposable
{
    private readonly int _vectorLength;

    private readonly VectorAlgorithm _algorithm;
    private readonly IBlockTransform? _essiv;
    private readonly byte[] _numbers = [];

    /// <param name="spec">The disk's encryption.</param>
    /// <param name="key">The disk's whole key.</param>
    /// <param name="sectors">How many vectors are wanted at once, at most.</param>
    public VectorGenerator(CipherSpec spec, ReadOnlySpan<byte> key, int sectors)
    {
        _algorithm = spec.Vector;
        _vectorLength = spec.Algorithm.BlockLength;
        if (_algorithm != VectorAlgorithm.Essiv)
        {
            return;
        }

        Span<byte> digest = stackalloc byte[spec.VectorDigest!.Length];
        spec.VectorDigest.Compute(key, digest);
        _essiv = spec.EssivAlgorithm!.CreateTransform(digest, encrypt: true);
        CryptographicOperations.ZeroMemory(digest);
        _numbers = new byte[sectors * _vectorLength];
    }

    /// <summary>Writes the vectors of <paramref name="count"/> sectors from <paramref name="first"/> on, a block of the cipher each.</summary>
    public void Fill(long first, int count, byte[] vectors)
    {
        byte[] numbers = _essiv is null ? vectors : _numbers;
        for (int i = 0; i < count; i++)
        {
            Span<byte> vector = numbers.AsSpan(i * _vectorLength, _vectorLength);
            ulong number = (ulong)(first + i);
            BinaryPrimitives.WriteUInt64LittleEndian(vector, _algorithm == VectorAlgorithm.Plain ? (uint)number : number);
            vector[sizeof(ulong)..].Clear();
        }

        _essiv?.Transform(numbers, vectors, count * _vectorLength);
    }

    public void Dispose() => _essiv?.Dispose();
}
