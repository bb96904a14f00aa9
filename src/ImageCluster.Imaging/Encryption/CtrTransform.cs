using System.Buffers.Binary;

namespace ImageCluster.Imaging.Encryption;

/// <summary>Counter mode: a sector is masked with its vector, counted up (big-endian) from block to block and encrypted.</summary>
internal sealed class CtrTransform : SectorTransform
{
    private readonly IBlockTransform _encrypt;
    private readonly VectorGenerator _generator;
    private readonly byte[] _vectors = new byte[PassSectors * BlockLength];
    private readonly byte[] _counters = new byte[PassSectors * SectorLength];
    private readonly byte[] _mask = new byte[PassSectors * SectorLength];

    public CtrTransform(CipherSpec spec, ReadOnlySpan<byte> key)
    {
        _encrypt = spec.Algorithm.CreateTransform(key, encrypt: true);
        _generator = new VectorGenerator(spec, key, PassSectors);
    }

    public override void Dispose()
    {
        _encrypt.Dispose();
        _generator.Dispose();
    }

    protected override void Pass(long first, Span<byte> sectors, bool encrypt)
    {
        int count = sectors.Length / SectorLength;
        _generator.Fill(first, count, _vectors);
        for (int i = 0; i < count; i++)
        {
            UInt128 counter = BinaryPrimitives.ReadUInt128BigEndian(_vectors.AsSpan(i * BlockLength));
            for (int block = 0; block < SectorLength; block += BlockLength)
            {
                BinaryPrimitives.WriteUInt128BigEndian(_counters.AsSpan((i * SectorLength) + block), counter++);
            }
        }

        _encrypt.Transform(_counters, _mask, sectors.Length);
        ByteXor.Apply(sectors, _mask.AsSpan(0, sectors.Length), sectors);
    }
}
