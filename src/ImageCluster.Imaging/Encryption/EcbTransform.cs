namespace ImageCluster.Imaging.Encryption;

/// <summary>Each block by itself: equal blocks look equal. No protection worth the name, but QEMU offers it.</summary>
internal sealed class EcbTransform(CipherSpec spec, ReadOnlySpan<byte> key) : SectorTransform(spec)
{
    private readonly IBlockTransform _encrypt = spec.Algorithm.CreateTransform(key, encrypt: true);
    private readonly IBlockTransform _decrypt = spec.Algorithm.CreateTransform(key, encrypt: false);
    private readonly byte[] _input = new byte[PassSectors * SectorLength];
    private readonly byte[] _output = new byte[PassSectors * SectorLength];

    public override void Dispose()
    {
        _encrypt.Dispose();
        _decrypt.Dispose();
    }

    protected override void Pass(long first, Span<byte> sectors, bool encrypt)
    {
        sectors.CopyTo(_input);
        (encrypt ? _encrypt : _decrypt).Transform(_input, _output, sectors.Length);
        _output.AsSpan(0, sectors.Length).CopyTo(sectors);
    }
}
