using System.Numerics;

namespace ImageCluster.Imaging.Encryption;

/// <summary>Exclusive or of two runs of bytes of one length, a vector at a time.</summary>
internal static class ByteXor
{
    /// <summary><paramref name="to"/> may be one of the others.</summary>
    public static void Apply(ReadOnlySpan<byte> a, ReadOnlySpan<byte> b, Span<byte> to)
    {
        int at = 0;
        for (; at <= a.Length - Vector<byte>.Count; at += Vector<byte>.Count)
        {
            (new Vector<byte>(a[at..]) ^ new Vector<byte>(b[at..])).CopyTo(to[at..]);
        }

        for (; at < a.Length; at++)
        {
            to[at] = (byte)(a[at] ^ b[at]);
        }
    }
}
