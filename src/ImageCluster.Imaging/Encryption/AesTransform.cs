using System.Security.Cryptography;

namespace ImageCluster.Imaging.Encryption;

/// <summary>AES by the system's library, which uses the processor's instructions for it.</summary>
internal sealed class AesTransform : IBlockTransform
{
    private readonly Aes _aes;
    private readonly ICryptoTransform _transform;

    /// <param name="key">16, 24 or 32 bytes.</param>
    /// <param name="encrypt">The direction.</param>
    public AesTransform(ReadOnlySpan<byte> key, bool encrypt)
    {
        _aes = Aes.Create();
        _aes.Mode = CipherMode.ECB;
        _aes.Padding = PaddingMode.None;
        _aes.SetKey(key);
        _transform = encrypt ? _aes.CreateEncryptor() : _aes.CreateDecryptor();
    }

    public void Transform(byte[] input, byte[] output, int length) => _transform.TransformBlock(input, 0, length, output, 0);

    public void Dispose()
    {
        _transform.Dispose();
        _aes.Dispose();
    }
}
