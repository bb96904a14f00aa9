using System.Buffers.Binary;
using System.Security.Cryptography;

namespace ImageCluster.Imaging.Encryption;

/// <summary>Makes the initialization vectors of consecutive sectors. For one thread at a time.</summary>
internal sealed class VectorGenerator : IDisposable
{
    private const int VectorLength = BlockAlgorithm.BlockLength;

    private readonly VectorAlgorithm _algorithm;
    private readonly IBlockTransform? _essiv;
    private readonly byte[] _numbers = [];

    /// <param name="spec">The disk's encryption.</param>
    /// <param name="key">The disk's whole key.</param>
    /// <param name="sectors">How many vectors are wanted at once, at most.</param>
    public VectorGenerator(CipherSpec spec, ReadOnlySpan<byte> key, int sectors)
    {
        _algorithm = spec.Vector;
        if (_algorithm != VectorAlgorithm.Essiv)
        {
            return;
        }

        Span<byte> digest = stackalloc byte[spec.VectorDigest!.Length];
        spec.VectorDigest.Compute(key, digest);
        _essiv = spec.EssivAlgorithm!.CreateTransform(digest, encrypt: true);
        CryptographicOperations.ZeroMemory(digest);
        _numbers = new byte[sectors * VectorLength];
    }

    /// <summary>Writes the vectors of <paramref name="count"/> sectors from <paramref name="first"/> on, 16 bytes each.</summary>
    public void Fill(long first, int count, byte[] vectors)
    {
        byte[] numbers = _essiv is null ? vectors : _numbers;
        for (int i = 0; i < count; i++)
        {
            Span<byte> vector = numbers.AsSpan(i * VectorLength, VectorLength);
            ulong number = (ulong)(first + i);
            BinaryPrimitives.WriteUInt64LittleEndian(vector, _algorithm == VectorAlgorithm.Plain ? (uint)number : number);
            BinaryPrimitives.WriteUInt64LittleEndian(vector[8..], 0);
        }

        _essiv?.Transform(numbers, vectors, count * VectorLength);
    }

    public void Dispose() => _essiv?.Dispose();
}
