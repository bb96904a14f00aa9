using ImageCluster.Imaging.Storage.Native;

namespace ImageCluster.Imaging.Encryption.Luks;

/// <summary>How often PBKDF2 is to iterate.</summary>
internal static class KeyStretching
{
    /// <summary>
    /// PBKDF2 rounds (an iteration for each digest's length of key) that opening an image may take, all key slots that are tried together: a minute of
    /// one fast processor. QEMU has no such limit, and stands still for hours where a broken or hostile header says so: 2^32 iterations for each of 8 slots.
    /// </summary>
    public const long MaxRounds = 1L << 29;

    /// <summary>Rounds that a new key slot may take, so that whoever opens the image can try two of them.</summary>
    private const long MaxRoundsOfSlot = MaxRounds / 2;

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
        uint most = (uint)(MaxRoundsOfSlot / Rounds(1, digest, keyLength));
        return iterations > most
            ? throw new ImageException(ImageErrorKind.InvalidArgument, file,
                $"PBKDF iterations {iterations} larger than {most}: Numerical result out of range")
            : Math.Max(MinIterations, (uint)iterations);
    }

    /// <summary>The rounds of so many iterations for a key of so many bytes.</summary>
    public static long Rounds(uint iterations, DigestAlgorithm digest, int keyLength) => iterations * (((long)keyLength + digest.Length - 1) / digest.Length);

    private static ulong PerSecond(DigestAlgorithm digest, int keyLength)
    {
        Span<byte> salt = stackalloc byte[LuksHeader.SaltLength];
        salt.Clear();
        byte[] key = new byte[keyLength];
        for (int iterations = 1 << 12; ; iterations *= 2)
        {
            // Not the time that passes: on a busy machine a key would be stretched the less.
            TimeSpan start = ThreadClock.Now;
            digest.DeriveKey("password"u8, salt, iterations, key);
            TimeSpan taken = ThreadClock.Now - start;
            if (taken >= Enough || iterations >= 1 << 24)
            {
                return (ulong)(iterations / Math.Max(taken.TotalSeconds, 1e-6));
            }
        }
    }
}
