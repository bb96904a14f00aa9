using Org.BouncyCastle.Crypto;
using Org.BouncyCastle.Crypto.Parameters;

namespace ImageCluster.Imaging.Encryption;

/// <summary>The ciphers that the system's library lacks, by Bouncy Castle.</summary>
internal sealed class LibraryTransform : IBlockTransform
{
    private readonly IBlockCipher _engine;
    private readonly int _blockLength;

    /// <param name="engine">The cipher, not yet keyed.</param>
    /// <param name="key">As long as the cipher takes.</param>
    /// <param name="encrypt">The direction.</param>
    public LibraryTransform(IBlockCipher engine, ReadOnlySpan<byte> key, bool encrypt)
    {
        engine.Init(encrypt, new KeyParameter(key));
        _engine = engine;
        _blockLength = engine.GetBlockSize();
    }

    public void Transform(byte[] input, byte[] output, int length)
    {
        for (int at = 0; at < length; at += _blockLength)
        {
            _engine.ProcessBlock(input, at, output, at);
        }
    }

    public void Dispose()
    {
        // The engine holds no resource; its key goes with it.
    }
}
