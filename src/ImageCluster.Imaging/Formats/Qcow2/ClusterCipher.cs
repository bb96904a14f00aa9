using ImageCluster.Imaging.Encryption;

namespace ImageCluster.Imaging.Formats.Qcow2;

/// <summary>Encrypts clusters with vectors by guest sector (the legacy AES) or by host sector (LUKS), as the format has it.</summary>
/// <param name="cipher">Owned from here on.</param>
/// <param name="byHostOffset">Which of the two offsets numbers the sectors.</param>
internal sealed class ClusterCipher(SectorCipher cipher, bool byHostOffset) : ISectorCipher
{
    public void Decrypt(long guestOffset, long hostOffset, Span<byte> sectors) => cipher.Decrypt(Number(guestOffset, hostOffset), sectors);

    public void Encrypt(long guestOffset, long hostOffset, Span<byte> sectors) => cipher.Encrypt(Number(guestOffset, hostOffset), sectors);

    public void Dispose() => cipher.Dispose();

    private long Number(long guestOffset, long hostOffset) => (byHostOffset ? hostOffset : guestOffset) / SectorCipher.SectorLength;
}
