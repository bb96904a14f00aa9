using System.Buffers.Binary;
using System.Security.Cryptography;

namespace ImageCluster.Imaging.Encryption;

/// <summary>
/// LUKS's anti-forensic splitter (LUKS1 on-disk format, section 2.4): a key becomes many stripes, all of which are needed to have it back, so
/// that losing any part of them destroys it.
/// </summary>
internal static class AntiForensicSplitter
{
    /// <summary>Fills <paramref name="material"/> (key length times the number of stripes) with random stripes and one that completes them.</summary>
    public static void Split(DigestAlgorithm digest, ReadOnlySpan<byte> key, Span<byte> material)
    {
        Span<byte> last = material[^key.Length..];
        RandomNumberGenerator.Fill(material[..^key.Length]);
        Combine(digest, material[..^key.Length], last);
        ByteXor.Apply(last, key, last);
    }

    /// <summary>Restores the key from its stripes.</summary>
    public static void Merge(DigestAlgorithm digest, ReadOnlySpan<byte> material, Span<byte> key)
    {
        Combine(digest, material[..^key.Length], key);
        ByteXor.Apply(key, material[^key.Length..], key);
    }

    private static void Combine(DigestAlgorithm digest, ReadOnlySpan<byte> stripes, Span<byte> to)
    {
        to.Clear();
        for (; stripes.Length > 0; stripes = stripes[to.Length..])
        {
            ByteXor.Apply(to, stripes[..to.Length], to);
            Diffuse(digest, to);
        }
    }

    // Replaces each digest-sized piece by the hash of its number and itself.
    private static void Diffuse(DigestAlgorithm digest, Span<byte> block)
    {
        Span<byte> input = stackalloc byte[sizeof(int) + digest.Length];
        Span<byte> output = stackalloc byte[digest.Length];
        for (int number = 0; block.Length > 0; number++)
        {
            int length = Math.Min(block.Length, digest.Length);
            BinaryPrimitives.WriteInt32BigEndian(input, number);
            block[..length].CopyTo(input[sizeof(int)..]);
            digest.Compute(input[..(sizeof(int) + length)], output);
            output[..length].CopyTo(block);
            block = block[length..];
        }
    }
}
