using System.Diagnostics;

namespace ImageCluster.Imaging.Encryption.Luks;

/// <summary>How often PBKDF2 is to iterate.</summary>
internal static class KeyStretching
{
    /// <summary>
    /// More than these are refused: a minute or more of one processor, which a broken or hostile header could otherwise ask of whoever opens it.
    /// </summary>
    public const uint MaxIterations = 1 << 28;

    /// <summary>QEMU's least.</summary>
    private const uint MinIterations = 1000;

    /// <summary>Shorter measurements say little.</summary>
    private static readonly TimeSpan Enough = TimeSpan.FromMilliseconds(20);

    /// <summary>The number of iterations that take a given time on this machine, at least 1,000.</summary>
    /// <param name="digest">The hash.</param>
    /// <param name="keyLength">Bytes that are to be derived.</param>
    /// <param name="milliseconds">The time.</param>
    /// <param name="divisor">Take this part of it.</param>
    /// <param name="file">For the message.</param>
    public static uint IterationsFor(DigestAlgorithm digest, int keyLength, ulong milliseconds, uint divisor, string? file)
    {
        UInt128 iterations = (UInt128)PerSecond(digest, keyLength) * milliseconds / 1000 / divisor;
        return iterations > MaxIterations
            ? throw new ImageException(ImageErrorKind.InvalidArgument, file,
                $"PBKDF iterations {iterations} larger than {MaxIterations}: Numerical result out of range")
            : Math.Max(MinIterations, (uint)iterations);
    }

    private static ulong PerSecond(DigestAlgorithm digest, int keyLength)
    {
        Span<byte> salt = stackalloc byte[LuksHeader.SaltLength];
        salt.Clear();
        byte[] key = new byte[keyLength];
        for (int iterations = 1 << 12; ; iterations *= 2)
        {
            long start = Stopwatch.GetTimestamp();
            digest.DeriveKey("password"u8, salt, iterations, key);
            TimeSpan taken = Stopwatch.GetElapsedTime(start);
            if (taken >= Enough || iterations >= 1 << 24)
            {
                return (ulong)(iterations / Math.Max(taken.TotalSeconds, 1e-6));
            }
        }
    }
}
