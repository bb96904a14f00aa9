namespace ImageCluster.Imaging.Encryption;

/// <summary>
/// A block cipher under one key, in one direction: each block by itself (ECB), many blocks at a time so that the hardware's units are kept
/// busy. The modes are built on it. For one thread at a time.
/// </summary>
internal interface IBlockTransform : IDisposable
{
    /// <summary>Transforms the first <paramref name="length"/> bytes, whole blocks of the cipher; the arrays are two.</summary>
    void Transform(byte[] input, byte[] output, int length);
}
