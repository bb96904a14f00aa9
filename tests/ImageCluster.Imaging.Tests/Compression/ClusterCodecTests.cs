using System.IO.Compression;
using CsCheck;
using ImageCluster.Testing;
using ImageCluster.Imaging.Compression;

namespace ImageCluster.Imaging.Tests.Compression;

public class ClusterCodecTests
{
    public static TheoryData<string> Codecs => ["deflate", "deflate (zlib-ng only)", "zlib", "zlib (zlib-ng only)", "zstd", "zstd (managed)"];

    private static IClusterCodec Open(string name) => name switch
    {
        "deflate" => ClusterCodecs.Deflate("disk.img"),
        "deflate (zlib-ng only)" => new DeflateCodec("disk.img", zlibHeader: false, windowBits: 12, useLibDeflate: false),
        "zlib" => ClusterCodecs.Zlib("disk.img"),
        "zlib (zlib-ng only)" => new DeflateCodec("disk.img", zlibHeader: true, windowBits: 15, useLibDeflate: false),
        "zstd" => ClusterCodecs.Zstd("disk.img"),
        "zstd (managed)" => new ManagedZstdCodec("disk.img"),
        _ => throw new ArgumentOutOfRangeException(nameof(name)),
    };

    [Theory]
    [MemberData(nameof(Codecs))]
    public void WhatIsCompressedInflatesAgain(string name)
    {
        using IClusterCodec codec = Open(name);
        Gen.Select(Gen.Int[1, 200_000], Gen.Int[0, 255], Gen.UInt, Gen.Int[0, 600]).Holds((length, variety, seed, padding) =>
        {
            byte[] data = Bytes(seed, length, variety);
            byte[] packed = new byte[length + 1024 + padding];
            int written = codec.Compress(data, packed.AsSpan(0, length + 1024));
            Assert.InRange(written, 1, length + 1024);
            new Random(0).NextBytes(packed.AsSpan(written, padding / 2));

            byte[] back = new byte[length];
            codec.Decompress(packed.AsSpan(0, written + padding), back);
            Assert.Equal(data, back);
        }, cases: 60);
    }

    [Theory]
    [MemberData(nameof(Codecs))]
    public void WhatDoesNotFitIsSaidByZero(string name)
    {
        using IClusterCodec codec = Open(name);
        byte[] noise = Bytes(1, 65536, 255);
        Assert.Equal(0, codec.Compress(noise, new byte[65535]));

        byte[] text = Bytes(1, 65536, 20);
        byte[] room = new byte[65536];
        int written = codec.Compress(text, room);
        Assert.InRange(written, 1, 65535);
        Assert.Equal(0, codec.Compress(text, room.AsSpan(0, written - 1)));
        Assert.Equal(written, codec.Compress(text, room));
    }

    [Theory]
    [MemberData(nameof(Codecs))]
    public void AStreamThatIsCutOrTooShortIsCorrupt(string name)
    {
        using IClusterCodec codec = Open(name);
        byte[] data = Bytes(3, 4096, 200);
        byte[] packed = new byte[8192];
        int written = codec.Compress(data, packed);
        for (int cut = 0; cut < written - 16; cut += 37)
        {
            AssertCorrupt(codec, packed.AsSpan(0, cut), 4096);
        }

        AssertCorrupt(codec, packed.AsSpan(0, written), 4097);
        AssertCorrupt(codec, packed, 8192);
        AssertCorrupt(codec, new byte[512], 4096);
    }

    [Theory]
    [MemberData(nameof(Codecs))]
    public void DamageIsCorruptOrOtherBytesButNothingElse(string name)
    {
        using IClusterCodec codec = Open(name);
        byte[] data = Bytes(4, 4096, 100);
        byte[] packed = new byte[8192];
        int written = codec.Compress(data, packed);
        byte[] back = new byte[4096];
        Gen.Select(Gen.Int[0, written - 1], Gen.Int[1, 255]).Holds((at, flip) =>
        {
            byte[] damaged = packed[..written];
            damaged[at] ^= (byte)flip;
            try
            {
                codec.Decompress(damaged, back);
            }
            catch (ImageException e)
            {
                Assert.Equal(ImageErrorKind.Corrupt, e.Kind);
                Assert.Equal("disk.img", e.File);
            }
        }, cases: 300);

        // The codec is none the worse for it.
        codec.Decompress(packed.AsSpan(0, written), back);
        Assert.Equal(data, back);
    }

    [Theory]
    [MemberData(nameof(Codecs))]
    public void ThreadsShareACodecAndGetTheSameBytes(string name)
    {
        using IClusterCodec codec = Open(name);
        byte[] data = Bytes(5, 65536, 60);
        byte[] expected = new byte[65536];
        int length = codec.Compress(data, expected);
        Parallel.For(0, 24, new ParallelOptions { MaxDegreeOfParallelism = 4 }, _ =>
        {
            byte[] packed = new byte[65536];
            Assert.Equal(length, codec.Compress(data, packed));
            Assert.True(packed.AsSpan(0, length).SequenceEqual(expected.AsSpan(0, length)));
            byte[] back = new byte[65536];
            codec.Decompress(packed, back);
            Assert.True(back.AsSpan().SequenceEqual(data));
        });
    }

    [Fact]
    public void StreamsAreWhatTheirNamesSay()
    {
        byte[] data = Bytes(6, 50_000, 30);
        byte[] packed = new byte[60_000];
        using (IClusterCodec deflate = ClusterCodecs.Deflate(null))
        {
            int written = deflate.Compress(data, packed);
            Assert.Equal(data, Inflate(new DeflateStream(new MemoryStream(packed, 0, written), CompressionMode.Decompress)));
        }

        using IClusterCodec zlib = ClusterCodecs.Zlib(null);
        int length = zlib.Compress(data, packed);
        Assert.Equal(data, Inflate(new ZLibStream(new MemoryStream(packed, 0, length), CompressionMode.Decompress)));
        Assert.Equal(0x78, packed[0]);

        // The checksum at the end counts.
        packed[length - 1] ^= 1;
        AssertCorrupt(zlib, packed.AsSpan(0, length), 50_000);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void DeflateReadsAnyWindow(bool useLibDeflate)
    {
        // A repeat at a distance that only a window of 15 bits reaches.
        byte[] data = Bytes(7, 60_000, 255);
        data.AsSpan(0, 25_000).CopyTo(data.AsSpan(30_000));
        var packed = new MemoryStream();
        using (var stream = new DeflateStream(packed, CompressionLevel.SmallestSize, leaveOpen: true))
        {
            stream.Write(data);
        }

        Assert.True(packed.Length < 40_000, "the stream was meant to hold far matches");
        using var codec = new DeflateCodec(null, zlibHeader: false, windowBits: 12, useLibDeflate);
        byte[] back = new byte[data.Length];
        codec.Decompress(packed.ToArray(), back);
        Assert.Equal(data, back);
    }

    [Fact]
    public unsafe void DeflateIsWrittenWithAWindowOf4KiB()
    {
        // Text with repeats at every distance, inflated in small pieces by a reader whose window has 12 bits, as some readers of qcow2 do.
        byte[] data = Bytes(8, 65536, 12);
        byte[] packed = new byte[65536];
        using IClusterCodec codec = ClusterCodecs.Deflate(null);
        int written = codec.Compress(data, packed);
        byte[] back = new byte[65536];
        ZlibNative.ZStream stream = default;
        Assert.Equal(ZlibNative.Ok, ZlibNative.InflateInit2(&stream, -12));
        fixed (byte* from = packed)
        fixed (byte* to = back)
        {
            stream.NextIn = from;
            stream.AvailIn = (uint)written;
            stream.NextOut = to;
            int result = ZlibNative.Ok;
            while (result == ZlibNative.Ok)
            {
                stream.AvailOut = 100;
                result = ZlibNative.Inflate(&stream, 2);
            }

            Assert.Equal(ZlibNative.StreamEnd, result);
            Assert.Equal(65536, stream.NextOut - to);
        }

        _ = ZlibNative.InflateEnd(&stream);
        Assert.Equal(data, back);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void DeflateWithoutItsEndOrLongerThanTheClusterIsReadAsQemuDoes(bool useLibDeflate)
    {
        byte[] data = Bytes(9, 8192, 40);
        var packed = new MemoryStream();
        using (var stream = new DeflateStream(packed, CompressionLevel.Optimal, leaveOpen: true))
        {
            stream.Write(data);
            stream.Flush();
            using var codec = new DeflateCodec(null, zlibHeader: false, windowBits: 12, useLibDeflate);
            byte[] back = new byte[8192];
            codec.Decompress(packed.ToArray(), back);
            Assert.Equal(data, back);

            codec.Decompress(packed.ToArray(), back.AsSpan(0, 4096));
            Assert.Equal(data[..4096], back[..4096]);
        }
    }

    [Theory]
    [InlineData("zstd")]
    [InlineData("zstd (managed)")]
    public void ZstdFramesMayFollowEachOtherAndClaimAnyWindow(string name)
    {
        using IClusterCodec codec = Open(name);
        byte[] data = Bytes(10, 8192, 40);
        byte[] packed = new byte[20_000];
        int first = codec.Compress(data.AsSpan(0, 4096), packed);
        int second = codec.Compress(data.AsSpan(4096), packed.AsSpan(first));
        byte[] back = new byte[8192];
        codec.Decompress(packed.AsSpan(0, first + second + 300), back);
        Assert.Equal(data, back);

        // A raw block in a frame that claims a window of 2 GiB (exponent 21) must not make anybody take 2 GiB.
        byte[] huge = [0x28, 0xB5, 0x2F, 0xFD, 0x00, 21 << 3, 0x21, 0x00, 0x00, 1, 2, 3, 4];
        byte[] four = new byte[4];
        long before = Environment.WorkingSet;
        codec.Decompress(huge, four);
        Assert.Equal([1, 2, 3, 4], four);
        Assert.True(Environment.WorkingSet - before < 64 << 20);

        // Longer than the cluster.
        AssertCorrupt(codec, huge, 3);
    }

    [SkippableFact]
    public void ManagedAndNativeZstdReadEachOther()
    {
        Skip.IfNot(ZstdLibrary.Loaded is not null, "libzstd.so.1 is not on this system");
        byte[] data = Bytes(11, 65536, 50);
        using IClusterCodec native = Open("zstd");
        using IClusterCodec managed = Open("zstd (managed)");
        byte[] packed = new byte[65536];
        byte[] back = new byte[65536];
        int written = native.Compress(data, packed);
        managed.Decompress(packed.AsSpan(0, written), back);
        Assert.Equal(data, back);

        written = managed.Compress(data, packed);
        back.AsSpan().Clear();
        native.Decompress(packed.AsSpan(0, written), back);
        Assert.Equal(data, back);
    }

    [Fact]
    public void ADisposedCodecRefuses()
    {
        IClusterCodec codec = ClusterCodecs.Deflate(null);
        codec.Decompress([3, 0], []);
        codec.Dispose();
        Assert.Throws<ObjectDisposedException>(() => codec.Decompress([3, 0], new byte[1]));
    }

    private static void AssertCorrupt(IClusterCodec codec, ReadOnlySpan<byte> source, int length)
    {
        byte[] copy = source.ToArray();
        var e = Assert.Throws<ImageException>(() => codec.Decompress(copy, new byte[length]));
        Assert.Equal(ImageErrorKind.Corrupt, e.Kind);
    }

    private static byte[] Inflate(Stream stream)
    {
        var all = new MemoryStream();
        stream.CopyTo(all);
        return all.ToArray();
    }

    /// <summary>Words out of a vocabulary that grows with <paramref name="variety"/>; 255 is noise.</summary>
    internal static byte[] Bytes(uint seed, int length, int variety)
    {
        var random = new Random((int)(seed & int.MaxValue));
        byte[] data = new byte[length];
        random.NextBytes(data);
        if (variety < 255)
        {
            for (int i = 0; i < length; i++)
            {
                data[i] = i % 7 == 0 ? (byte)' ' : (byte)('A' + data[i] % (variety + 1));
            }
        }

        return data;
    }
}
