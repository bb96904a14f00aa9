using System.Security.Cryptography;
using ImageCluster.Imaging.Encryption;

namespace ImageCluster.Imaging.Tests.Encryption;

/// <summary>The modes and vector generators against published vectors and against the system's library, a sector at a time.</summary>
public sealed class SectorCipherTests
{
    // IEEE 1619-2007, annex B, vectors 4 and 10 (a sector of the bytes 0 to 255, twice): their first two blocks.
    [Theory]
    [InlineData("27182818284590452353602874713526", "31415926535897932384626433832795", 0L,
        "27a7479befa1d476489f308cd4cfa6e2a96e4bbe3208ff25287dd3819616e89c")]
    [InlineData("2718281828459045235360287471352662497757247093699959574966967627",
        "3141592653589793238462643383279502884197169399375105820974944592", 0xffL,
        "1c3b3a102f770386e4836c99e370cf9bea00803f5e482357a4ae12d414a3e63b")]
    public void XtsIsIeee1619(string dataKey, string tweakKey, long sector, string firstBlocks)
    {
        byte[] key = [.. Convert.FromHexString(dataKey), .. Convert.FromHexString(tweakKey)];
        byte[] plain = [.. Enumerable.Range(0, 512).Select(static i => (byte)i)];
        BlockAlgorithm algorithm = BlockAlgorithm.Find("aes", key.Length / 2)!;
        using SectorCipher cipher = new(new CipherSpec(algorithm, SectorMode.Xts, VectorAlgorithm.Plain64), key);
        byte[] data = [.. plain];
        cipher.Encrypt(sector, data);
        Assert.Equal(firstBlocks, Convert.ToHexStringLower(data.AsSpan(0, 32)));
        cipher.Decrypt(sector, data);
        Assert.Equal(plain, data);
    }

    // NESSIE's first vectors of Serpent and Twofish (the paper's for a key of zeros), RFC 2144 annex B.1.
    [Theory]
    [InlineData("serpent-128", "80000000000000000000000000000000", "00000000000000000000000000000000", "264e5481eff42a4606abda06c0bfda3d")]
    [InlineData("twofish-128", "00000000000000000000000000000000", "00000000000000000000000000000000", "9f589f5cf6122c32b6bfec2f2ae8c35a")]
    [InlineData("cast5-128", "0123456712345678234567893456789a", "0123456789abcdef", "238b4fe5847e44b2")]
    public void CiphersArePublishedOnes(string name, string key, string plain, string encrypted)
    {
        BlockAlgorithm algorithm = BlockAlgorithm.Find(name)!;
        byte[] bytes = Convert.FromHexString(plain);
        byte[] output = new byte[bytes.Length];
        using IBlockTransform encrypt = algorithm.CreateTransform(Convert.FromHexString(key), encrypt: true);
        encrypt.Transform(bytes, output, bytes.Length);
        Assert.Equal(encrypted, Convert.ToHexStringLower(output));
        using IBlockTransform decrypt = algorithm.CreateTransform(Convert.FromHexString(key), encrypt: false);
        decrypt.Transform([.. output], output, bytes.Length);
        Assert.Equal(plain, Convert.ToHexStringLower(output));
    }

    [Theory]
    [InlineData("plain")]
    [InlineData("plain64")]
    [InlineData("essiv")]
    public void CbcIsThatOfTheLibrary(string generator)
    {
        VectorAlgorithm vector = CipherSpec.FindVector(generator)!.Value;
        byte[] key = [.. Enumerable.Range(1, 16).Select(static i => (byte)i)];
        const long First = 0x1_2345_6789;
        byte[] plain = new byte[130 * 512];
        new Random(1).NextBytes(plain);
        byte[] data = [.. plain];
        using SectorCipher cipher = new(new CipherSpec(BlockAlgorithm.Aes128, SectorMode.Cbc, vector, DigestAlgorithm.Sha256), key);
        cipher.Encrypt(First, data);
        using Aes aes = Aes.Create();
        aes.Key = key;
        for (int i = 0; i < 130; i++)
        {
            byte[] expected = aes.EncryptCbc(plain.AsSpan(i * 512, 512), Vector(vector, key, First + i), PaddingMode.None);
            Assert.Equal(expected, data.AsSpan(i * 512, 512).ToArray());
        }

        cipher.Decrypt(First, data);
        Assert.Equal(plain, data);
    }

    [Fact]
    public void CountersCarryOverAllBytes()
    {
        byte[] key = new byte[32];
        byte[] mask = new byte[512];
        using SectorCipher cipher = new(new CipherSpec(BlockAlgorithm.Aes256, SectorMode.Ctr, VectorAlgorithm.Plain64), key);
        cipher.Encrypt(-1, mask);
        using Aes aes = Aes.Create();
        aes.Key = key;
        UInt128 counter = (UInt128)ulong.MaxValue << 64;
        byte[] block = new byte[16];
        for (int i = 0; i < 32; i++)
        {
            System.Buffers.Binary.BinaryPrimitives.WriteUInt128BigEndian(block, counter + (UInt128)i);
            Assert.Equal(aes.EncryptEcb(block, PaddingMode.None), mask.AsSpan(i * 16, 16).ToArray());
        }
    }

    [Theory]
    [InlineData("ecb")]
    [InlineData("cbc")]
    [InlineData("xts")]
    [InlineData("ctr")]
    public void PiecesGiveWhatTheWholeGives(string mode)
    {
        CipherSpec spec = new(BlockAlgorithm.Aes128, CipherSpec.FindMode(mode)!.Value, VectorAlgorithm.Essiv, DigestAlgorithm.Sha256);
        byte[] key = new byte[spec.KeyLength];
        new Random(2).NextBytes(key);
        byte[] plain = new byte[200 * 512];
        new Random(3).NextBytes(plain);
        byte[] whole = [.. plain];
        byte[] pieces = [.. plain];
        using SectorCipher cipher = new(spec, key);
        cipher.Encrypt(7, whole);
        Parallel.For(0, 40, i => cipher.Encrypt(7 + (i * 5), pieces.AsSpan(i * 5 * 512, 5 * 512)));
        Assert.Equal(whole, pieces);
        Parallel.For(0, 40, i => cipher.Decrypt(7 + (i * 5), pieces.AsSpan(i * 5 * 512, 5 * 512)));
        Assert.Equal(plain, pieces);
    }

    private static byte[] Vector(VectorAlgorithm algorithm, byte[] key, long sector)
    {
        byte[] number = new byte[16];
        System.Buffers.Binary.BinaryPrimitives.WriteInt64LittleEndian(number, algorithm == VectorAlgorithm.Plain ? (uint)sector : sector);
        if (algorithm != VectorAlgorithm.Essiv)
        {
            return number;
        }

        using Aes aes = Aes.Create();
        aes.Key = SHA256.HashData(key);
        return aes.EncryptEcb(number, PaddingMode.None);
    }
}
