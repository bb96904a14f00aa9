namespace ImageCluster.Imaging.Encryption;

/// <summary>
/// A cipher in one of the modes under one key, with the working memory for some sectors at once. For one thread at a time; nothing is
/// allocated once it is made.
/// </summary>
internal abstract class SectorTransform(CipherSpec spec) : IDisposable
{
    public const int SectorLength = 512;

    /// <summary>Sectors of one pass: the working memory fits into the processor's caches, and the cipher gets enough at once.</summary>
    protected const int PassSectors = 64;

    /// <summary>Of the cipher, in bytes.</summary>
    protected int BlockLength { get; } = spec.Algorithm.BlockLength;

    /// <summary>Encrypts in place.</summary>
    /// <param name="first">Number of the first sector, from which its vector is made.</param>
    /// <param name="sectors">Whole sectors.</param>
    public void Encrypt(long first, Span<byte> sectors) => Run(first, sectors, encrypt: true);

    /// <summary>Decrypts in place.</summary>
    /// <param name="first">Number of the first sector, from which its vector is made.</param>
    /// <param name="sectors">Whole sectors.</param>
    public void Decrypt(long first, Span<byte> sectors) => Run(first, sectors, encrypt: false);

    public static SectorTransform Create(CipherSpec spec, ReadOnlySpan<byte> key) => spec.Mode switch
    {
        SectorMode.Xts => new XtsTransform(spec, key),
        SectorMode.Cbc => new CbcTransform(spec, key),
        SectorMode.Ctr => new CtrTransform(spec, key),
        _ => new EcbTransform(spec, key),
    };

    public abstract void Dispose();

    /// <summary>Encrypts or decrypts 1 to <see cref="PassSectors"/> sectors.</summary>
    protected abstract void Pass(long first, Span<byte> sectors, bool encrypt);

    private void Run(long first, Span<byte> sectors, bool encrypt)
    {
        while (sectors.Length > 0)
        {
            int length = Math.Min(sectors.Length, PassSectors * SectorLength);
            Pass(first, sectors[..length], encrypt);
            sectors = sectors[length..];
            first += PassSectors;
        }
    }
}
