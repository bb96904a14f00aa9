using System.Buffers.Binary;

namespace ImageCluster.Imaging.Encryption;

/// <summary>
/// XTS (IEEE 1619): each block is masked, before and behind the cipher, with a tweak: the sector's vector encrypted with the second half of the
/// key, doubled in GF(2^128) from block to block. Sectors are whole blocks, so nothing is stolen.
/// </summary>
internal sealed class XtsTransform : SectorTransform
{
    private readonly IBlockTransform _encrypt;
    private readonly IBlockTransform _decrypt;
    private readonly IBlockTransform _tweak;
    private readonly VectorGenerator _generator;
    private readonly byte[] _vectors = new byte[PassSectors * BlockAlgorithm.UsualBlockLength];
    private readonly byte[] _firstTweaks = new byte[PassSectors * BlockAlgorithm.UsualBlockLength];
    private readonly byte[] _tweaks = new byte[PassSectors * SectorLength];
    private readonly byte[] _input = new byte[PassSectors * SectorLength];
    private readonly byte[] _output = new byte[PassSectors * SectorLength];

    public XtsTransform(CipherSpec spec, ReadOnlySpan<byte> key)
        : base(spec)
    {
        int half = key.Length / 2;
        _encrypt = spec.Algorithm.CreateTransform(key[..half], encrypt: true);
        _decrypt = spec.Algorithm.CreateTransform(key[..half], encrypt: false);
        _tweak = spec.Algorithm.CreateTransform(key[half..], encrypt: true);
        _generator = new VectorGenerator(spec, key, PassSectors);
    }

    public override void Dispose()
    {
        _encrypt.Dispose();
        _decrypt.Dispose();
        _tweak.Dispose();
        _generator.Dispose();
    }

    protected override void Pass(long first, Span<byte> sectors, bool encrypt)
    {
        int count = sectors.Length / SectorLength;
        _generator.Fill(first, count, _vectors);
        _tweak.Transform(_vectors, _firstTweaks, count * BlockLength);
        for (int i = 0; i < count; i++)
        {
            FillTweaks(_firstTweaks.AsSpan(i * BlockLength, BlockLength), _tweaks.AsSpan(i * SectorLength, SectorLength));
        }

        ReadOnlySpan<byte> tweaks = _tweaks.AsSpan(0, sectors.Length);
        ByteXor.Apply(sectors, tweaks, _input);
        (encrypt ? _encrypt : _decrypt).Transform(_input, _output, sectors.Length);
        ByteXor.Apply(tweaks, _output.AsSpan(0, sectors.Length), sectors);
    }

    private static void FillTweaks(ReadOnlySpan<byte> first, Span<byte> tweaks)
    {
        ulong low = BinaryPrimitives.ReadUInt64LittleEndian(first);
        ulong high = BinaryPrimitives.ReadUInt64LittleEndian(first[8..]);
        for (int at = 0; at < tweaks.Length; at += BlockAlgorithm.UsualBlockLength)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(tweaks[at..], low);
            BinaryPrimitives.WriteUInt64LittleEndian(tweaks[(at + 8)..], high);

            // Doubling: x^128 is x^7 + x^2 + x + 1.
            ulong carry = (ulong)((long)high >> 63) & 0x87;
            high = high << 1 | low >> 63;
            low = low << 1 ^ carry;
        }
    }
}
