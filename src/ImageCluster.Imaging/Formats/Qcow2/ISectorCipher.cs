namespace ImageCluster.Imaging.Formats.Qcow2;

/// <summary>
/// Encrypts and decrypts the guest's 512-byte sectors of one image. The legacy AES derives its vectors from the guest offset, LUKS from the
/// host offset, so both are given. Safe from any number of threads.
/// </summary>
internal interface ISectorCipher : IDisposable
{
    /// <summary>Decrypts in place; offsets and length are multiples of 512 bytes.</summary>
    void Decrypt(long guestOffset, long hostOffset, Span<byte> sectors);

    /// <summary>Encrypts in place; offsets and length are multiples of 512 bytes.</summary>
    void Encrypt(long guestOffset, long hostOffset, Span<byte> sectors);
}
