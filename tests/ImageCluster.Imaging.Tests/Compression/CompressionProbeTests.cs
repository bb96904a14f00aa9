using System.IO.Compression;
using CsCheck;
using ImageCluster.Testing;
using ImageCluster.Imaging.Compression;

namespace ImageCluster.Imaging.Tests.Compression;

public class CompressionProbeTests
{
    [Fact]
    public void NoiseLooksIncompressible()
    {
        Gen.Select(Gen.UInt, Gen.Int[4096, 300_000]).Holds((seed, length) =>
            Assert.True(CompressionProbe.LooksIncompressible(ClusterCodecTests.Bytes(seed, length, 255))), cases: 100);
    }

    [Fact]
    public void CompressedDataLookIncompressible()
    {
        byte[] text = ClusterCodecTests.Bytes(1, 4 << 20, 40);
        var packed = new MemoryStream();
        using (var stream = new BrotliStream(packed, CompressionLevel.Fastest, leaveOpen: true))
        {
            stream.Write(text);
        }

        Assert.True(CompressionProbe.LooksIncompressible(packed.ToArray().AsSpan(100_000, 65536)));
    }

    // The probe looks at a sample: what deflate gains just above its claim of one part in a hundred may escape it by chance, three may not.
    [Fact]
    public void AnythingThatDeflateMakesThreePercentSmallerDoesNot()
    {
        using IClusterCodec codec = ClusterCodecs.Deflate(null);
        byte[] room = new byte[65536];
        Gen.Select(Gen.Int[0, 7], Gen.Int[1, 65536], Gen.UInt).Holds((shape, size, seed) =>
        {
            byte[] data = Shape(shape, size, seed);
            int written = codec.Compress(data, room);
            if (written > 0 && written < 65536 * 97 / 100)
            {
                Assert.False(CompressionProbe.LooksIncompressible(data), $"shape {shape}, size {size}: {written} bytes after deflate");
            }
        }, cases: 400);
    }

    [Fact]
    public void ProgramsDoNot()
    {
        byte[] program = File.ReadAllBytes(typeof(object).Assembly.Location);
        for (int at = 0; at + 65536 <= Math.Min(program.Length, 4 << 20); at += 65536)
        {
            Assert.False(CompressionProbe.LooksIncompressible(program.AsSpan(at, 65536)), $"at {at}");
        }
    }

    [Fact]
    public void FarRepeatsCountToo()
    {
        // Nothing for deflate's small window, but half for zstd.
        byte[] data = ClusterCodecTests.Bytes(1, 65536, 255);
        data.AsSpan(0, 20_000).CopyTo(data.AsSpan(40_000));
        Assert.False(CompressionProbe.LooksIncompressible(data));
    }

    [Fact]
    public void SmallInputIsNotJudged() => Assert.False(CompressionProbe.LooksIncompressible(ClusterCodecTests.Bytes(1, 4095, 255)));

    // Noise with something in it that compresses: size says how much, or how.
    private static byte[] Shape(int shape, int size, uint seed)
    {
        byte[] data = ClusterCodecTests.Bytes(seed, 65536, 255);
        int start = (int)(seed % (65536 - (uint)size + 1));
        switch (shape)
        {
            case 0: // zeros
                data.AsSpan(start, size).Clear();
                break;
            case 1: // text
                ClusterCodecTests.Bytes(seed + 1, size, 50).CopyTo(data, start);
                break;
            case 2: // every nth byte a constant
                for (int i = 0; i < data.Length; i += 1 + size % 64)
                {
                    data[i] = 0;
                }

                break;
            case 3: // a block of noise repeated at a distance
                int block = 1 + size % 4000;
                for (int i = block; i < data.Length; i++)
                {
                    data[i] = data[i % block];
                }

                break;
            case 4: // records of noise with a constant tail
                int record = 16 + size % 512;
                for (int i = 0; i < data.Length; i++)
                {
                    data[i] = i % record < 8 ? (byte)0x5A : data[i];
                }

                break;
            case 5: // counters
                for (int i = 0; i + 4 <= data.Length; i += 4)
                {
                    BitConverter.TryWriteBytes(data.AsSpan(i), i * size);
                }

                break;
            case 6: // seven bits
                for (int i = start; i < start + size; i++)
                {
                    data[i] &= 0x7F;
                }

                break;
            default: // runs of equal bytes
                for (int i = 0; i < data.Length; i++)
                {
                    data[i] = data[i - (i % (1 + size % 20))];
                }

                break;
        }

        return data;
    }
}
