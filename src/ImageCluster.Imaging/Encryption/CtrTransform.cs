using System.Buffers.Binary;

namespace ImageCluster.Imaging.Encryption;

/// <summary>Counter mode: a sector is masked with its vector, counted up (big-endian) from block to block and encrypted.</summary>
internal sealed class CtrTransform : SectorTransform
{
    private readonly IBlockTransform _encrypt;
    private readonly VectorGenerator _generator;
    private readonly byte[] _vectors = new byte[PassSectors * BlockAlgorithm.UsualBlockLength];
    private readonly byte[] _counters = new byte[PassSectors * SectorLength];
    private readonly byte[] _mask = new byte[PassSectors * SectorLength];

    public CtrTransform(CipherSpec spec, ReadOnlySpan<byte> key)
        : base(spec)
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
            ReadOnlySpan<byte> vector = _vectors.AsSpan(i * BlockLength, BlockLength);
            Span<byte> counters = _counters.AsSpan(i * SectorLength, SectorLength);
            if (BlockLength == sizeof(ulong))
            {
                CountShort(vector, counters);
            }
            else
            {
                Count(vector, counters);
            }
        }

        _encrypt.Transform(_counters, _mask, sectors.Length);
        ByteXor.Apply(sectors, _mask.AsSpan(0, sectors.Length), sectors);
    }

    private static void Count(ReadOnlySpan<byte> vector, Span<byte> counters)
    {
        UInt128 counter = BinaryPrimitives.ReadUInt128BigEndian(vector);
        for (int at = 0; at < counters.Length; at += BlockAlgorithm.UsualBlockLength)
        {
            BinaryPrimitives.WriteUInt128BigEndian(counters[at..], counter++);
        }
    }

    private static void CountShort(ReadOnlySpan<byte> vector, Span<byte> counters)
    {
        ulong counter = BinaryPrimitives.ReadUInt64BigEndian(vector);
        for (int at = 0; at < counters.Length; at += sizeof(ulong))
        {
            BinaryPrimitives.WriteUInt64BigEndian(counters[at..], counter++);
        }
    }
}
