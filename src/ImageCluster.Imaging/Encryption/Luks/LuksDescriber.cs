using ImageCluster.Imaging.Formats;

namespace ImageCluster.Imaging.Encryption.Luks;

/// <summary>What info says of a LUKS volume: QAPI's QCryptoBlockInfoLUKS, in the order in which qemu-img prints it.</summary>
internal static class LuksDescriber
{
    /// <summary>Adds the fields of a volume.</summary>
    /// <param name="info">The image's or its encryption's.</param>
    /// <param name="volume">The volume.</param>
    /// <param name="format">What to say of the encryption's format, in its place; null for nothing.</param>
    public static FormatSpecificInfo Add(FormatSpecificInfo info, LuksVolume volume, string? format = null)
    {
        CipherSpec cipher = volume.Cipher;
        return info.Add("ivgen-alg", CipherSpec.NameOf(cipher.Vector))
            .Add("hash-alg", volume.Digest.Name)
            .Add("cipher-alg", cipher.Algorithm.Name)
            .Add("uuid", volume.Header.Uuid)
            .Add("ivgen-hash-alg", cipher.Vector == VectorAlgorithm.Essiv ? cipher.VectorDigest!.Name : null)
            .Add("format", format)
            .Add("cipher-mode", CipherSpec.NameOf(cipher.Mode))
            .Add("slots", volume.Header.Slots.Select(Slot).ToList())
            .Add("payload-offset", volume.Header.PayloadOffset)
            .Add("master-key-iters", (long)volume.Header.KeyDigestIterations);
    }

    private static object Slot(LuksKeySlot slot)
    {
        FormatSpecificInfo info = new FormatSpecificInfo().Add("active", slot.IsActive)
            .Add("iters", slot.IsActive ? (long)slot.Iterations : null)
            .Add("key-offset", slot.Offset);
        return slot.IsActive ? info.Add("stripes", LuksKeySlot.Stripes) : info;
    }
}
