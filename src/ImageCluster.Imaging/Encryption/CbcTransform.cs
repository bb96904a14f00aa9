namespace ImageCluster.Imaging.Encryption;

/// <summary>
/// CBC, a chain for each sector. A sector's blocks can only be encrypted one after the other, so all sectors of a pass go side by side, a block of
/// each at a time; decrypting knows no such order.
/// </summary>
internal sealed class CbcTransform : SectorTransform
{
    private readonly IBlockTransform _encrypt;
    private readonly IBlockTransform _decrypt;
    private readonly VectorGenerator _generator;
    private readonly byte[] _vectors = new byte[PassSectors * BlockAlgorithm.UsualBlockLength];
    private readonly byte[] _input = new byte[PassSectors * SectorLength];
    private readonly byte[] _output = new byte[PassSectors * SectorLength];

    public CbcTransform(CipherSpec spec, ReadOnlySpan<byte> key)
        : base(spec)
    {
        _encrypt = spec.Algorithm.CreateTransform(key, encrypt: true);
        _decrypt = spec.Algorithm.CreateTransform(key, encrypt: false);
        _generator = new VectorGenerator(spec, key, PassSectors);
    }

    public override void Dispose()
    {
        _encrypt.Dispose();
        _decrypt.Dispose();
        _generator.Dispose();
    }

    protected override void Pass(long first, Span<byte> sectors, bool encrypt)
    {
        int count = sectors.Length / SectorLength;
        _generator.Fill(first, count, _vectors);
        if (encrypt)
        {
            Encrypt(sectors, count);
        }
        else
        {
            Decrypt(sectors);
        }
    }

    private void Encrypt(Span<byte> sectors, int count)
    {
        // What the next blocks are chained to: the vectors, then the blocks just made.
        byte[] chain = _vectors;
        for (int block = 0; block < SectorLength; block += BlockLength)
        {
            for (int i = 0; i < count; i++)
            {
                int at = i * BlockLength;
                ByteXor.Apply(sectors.Slice((i * SectorLength) + block, BlockLength), chain.AsSpan(at, BlockLength), _input.AsSpan(at));
            }

            _encrypt.Transform(_input, _output, count * BlockLength);
            chain = _output;
            for (int i = 0; i < count; i++)
            {
                _output.AsSpan(i * BlockLength, BlockLength).CopyTo(sectors[((i * SectorLength) + block)..]);
            }
        }
    }

    private void Decrypt(Span<byte> sectors)
    {
        sectors.CopyTo(_input);
        _decrypt.Transform(_input, _output, sectors.Length);
        for (int at = 0, vector = 0; at < sectors.Length; at += SectorLength, vector += BlockLength)
        {
            Span<byte> sector = sectors.Slice(at, SectorLength);
            ByteXor.Apply(_output.AsSpan(at, BlockLength), _vectors.AsSpan(vector, BlockLength), sector);
            ByteXor.Apply(_output.AsSpan(at + BlockLength, SectorLength - BlockLength), _input.AsSpan(at, SectorLength - BlockLength), sector[BlockLength..]);
        }
    }
}
