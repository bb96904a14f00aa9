using System.Buffers.Binary;
using System.Text;
using ImageCluster.Imaging.Extents;
using ImageCluster.Imaging.Formats;
using ImageCluster.Imaging.Formats.Qcow2;
using ImageCluster.Imaging.Storage;
using ImageCluster.Testing.Qemu;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Imaging.Tests.Formats.Qcow2;

/// <summary>Headers: what is refused and how, what is kept, and that no image whatever brings the engine down.</summary>
public sealed class HeaderTests : IDisposable
{
    private readonly TempDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    // Field, its offset and length in bytes, and the values beyond 0, 1 and the maximum that matter.
    private static readonly (string Name, int Offset, int Length, ulong[] Values)[] Fields =
    [
        ("magic", 0, 4, []),
        ("version", 4, 4, [2, 3, 4]),
        ("backing_file_offset", 8, 8, [104, 65535, 65536, 65537]),
        ("backing_file_size", 16, 4, [1023, 1024]),
        ("cluster_bits", 20, 4, [8, 9, 12, 21, 22, 31, 32, 64]),
        ("size", 24, 8, [511, 513, 1UL << 29, (1UL << 29) + 512, 1UL << 60, long.MaxValue, 1UL << 63]),
        ("crypt_method", 32, 4, [3]),
        ("l1_size", 36, 4, [2, 4194304, 4194305, 1u << 31]),
        ("l1_table_offset", 40, 8, [512, 65536, 1UL << 32, 1UL << 62, (1UL << 63) - 65536, 1UL << 63]),
        ("refcount_table_offset", 48, 8, [512, 1UL << 40, (1UL << 63) - 65536, 1UL << 63]),
        ("refcount_table_clusters", 56, 4, [128, 129, 1u << 31]),
        ("nb_snapshots", 60, 4, [2, 65536, 65537]),
        ("snapshots_offset", 64, 8, [512, 1UL << 40, (1UL << 63) - 65536, 1UL << 63]),
        ("incompatible_features", 72, 8, [2, 4, 8, 16, 32, 1UL << 63, 0x60]),
        ("compatible_features", 80, 8, [2]),
        ("autoclear_features", 88, 8, [2, 4]),
        ("refcount_order", 96, 4, [6, 7]),
        ("header_length", 100, 4, [103, 104, 105, 112, 113, 120, 65536, 65537]),
        ("compression_type", 104, 1, [2]),
        ("first_extension_length", 116, 4, [384, 392, 65424, 65425, 1u << 31]),
    ];

    public static TheoryData<string> FieldNames => [.. Fields.Select(f => f.Name)];

    [SkippableTheory]
    [MemberData(nameof(FieldNames))]
    public void FieldsAreCheckedAsQemuChecksThem(string name)
    {
        QemuTools.Require();
        (_, int offset, int length, ulong[] values) = Fields.Single(f => f.Name == name);
        string image = _directory["a.qcow2"];
        QemuTools.Img("create", "-q", "-f", "qcow2", image, "100M");
        QemuTools.Io(image, "qcow2", "write -P 1 0 100k");
        byte[] good = File.ReadAllBytes(image);
        ulong max = length == 8 ? ulong.MaxValue : (1UL << (8 * length)) - 1;
        foreach (ulong value in values.Concat([0UL, 1UL, max]))
        {
            byte[] bad = [.. good];
            Put(bad, offset, length, value);
            File.WriteAllBytes(image, bad);
            ToolResult theirs = QemuTools.TryImg("info", "-f", "qcow2", image);
            ImageException? ours = TryOpen(bad, image);
            string what = $"{name} = 0x{value:x}: qemu-img says '{theirs.Error.Trim()}', we '{ours?.Message}'";
            if (theirs.ExitCode == 0)
            {
                Assert.True(ours is null, what);
            }
            else if (theirs.Error.Contains("Could not read L1 table", StringComparison.Ordinal))
            {
                // Tables are read when they are needed: describing works.
                Assert.True(ours is null && TryReadAll(new MemoryLocator(), bad, out ours) is null, what);
            }
            else
            {
                Assert.True(ours is not null, what);
                Assert.True(theirs.Error.Contains(ours.Message, StringComparison.Ordinal), what);
            }
        }
    }

    [Fact]
    public void UnknownFeaturesAreRefusedByTheImagesNames()
    {
        byte[] image = Create(1 << 20);

        // The image's own table names bit 5 and bit 63 in place of two that are known.
        int table = 120;
        image[table + 1] = 5;
        Encoding.ASCII.GetBytes("time travel\0").CopyTo(image, table + 2);
        image[table + 49] = 63;
        Encoding.ASCII.GetBytes(new string('n', 46)).CopyTo(image, table + 50);
        Put(image, 72, 8, (1UL << 5) | (1UL << 63) | (1UL << 40));
        ImageException e = TryOpen(image, "a")!;
        Assert.Equal(ImageErrorKind.Unsupported, e.Kind);
        Assert.Equal($"Unsupported qcow2 feature(s): time travel, {new string('n', 46)}, Unknown incompatible feature: 10000000000", e.Message);
    }

    [Fact]
    public void WhatIsNotKnownIsKept()
    {
        Header header = new()
        {
            ClusterBits = 16,
            VirtualSize = 12345 * 512,
            L1Entries = 1,
            L1Offset = 3 << 16,
            RefcountTableOffset = 1 << 16,
            Compatible = (CompatibleFeatures)6,
            Autoclear = AutoclearFeatures.Bitmaps | (AutoclearFeatures)0x100,
            UnknownFields = [1, 2, 3, 4, 5, 6, 7, 8],
            BackingFile = "bäse.qcow2",
            BackingFormat = "qcow2",
            Bitmaps = new BitmapsPointer(3, 65536 * 7, 96),
            UnknownExtensions = [new HeaderExtension(0x12345678, [9, 8, 7]), new HeaderExtension(0xCAFE, [])],
        };
        byte[] bytes = HeaderWriter.Write(header);
        Header back = HeaderReader.Read(new MemoryFile("a", bytes));
        Assert.Equal(bytes, HeaderWriter.Write(back));
        Assert.Equal(header.UnknownFields, back.UnknownFields);
        Assert.Equal([0x12345678u, 0xCAFEu], back.UnknownExtensions.Select(e => e.Magic));
        Assert.Equal([9, 8, 7], back.UnknownExtensions[0].Data);
        Assert.Equal(header with { UnknownFields = back.UnknownFields, UnknownExtensions = back.UnknownExtensions }, back);
    }

    [SkippableTheory]
    [InlineData("compat=0.10")]
    [InlineData("cluster_size=512")]
    [InlineData("extended_l2=on,compression_type=zstd,lazy_refcounts=on")]
    [InlineData("data_file=DATA,data_file_raw=on")]
    public void AHeaderThatIsWrittenBackIsQemus(string options)
    {
        QemuTools.Require();
        string image = _directory["a.qcow2"];
        QemuTools.Img("create", "-q", "-f", "qcow2", "-o", options.Replace("DATA", _directory["data.raw"]), image, "3M");
        byte[] bytes = File.ReadAllBytes(image);
        Header header = HeaderReader.Read(new MemoryFile("a", bytes));
        Qcow2TestImages.AssertSame(bytes[..(1 << header.ClusterBits)], HeaderWriter.Write(header));
    }

    [Fact]
    public void TruncatedFilesAreRefusedOrReadAsZerosWhereNothingIsMissing()
    {
        MemoryLocator files = new();
        byte[] whole = CreateFilled(files, out byte[] content);
        for (int length = 0; length < whole.Length; length += length < 4096 ? 61 : 16381)
        {
            byte[]? read = TryReadAll(files, whole[..length], out ImageException? e);
            if (read is null)
            {
                Assert.True(e!.Kind is ImageErrorKind.Truncated or ImageErrorKind.Corrupt or ImageErrorKind.NotThisFormat, e.Message);
            }
            else
            {
                // Only the last cluster may be cut, and what is missing of it reads as zeros.
                Assert.True(whole.Length - length < 65536, $"a file cut to {length} of {whole.Length} bytes was read");
            }
        }

        Assert.Equal(content, TryReadAll(files, whole, out _));
    }

    [Fact]
    public void DamagedMetadataGivesErrorsAndNothingElse()
    {
        MemoryLocator files = new();
        byte[] whole = CreateFilled(files, out _);
        int[] hot = [.. Enumerable.Range(0, 120), .. Enumerable.Range(1 << 16, 64), .. Enumerable.Range(3 << 16, 64), .. Enumerable.Range(4 << 16, 2048)];
        for (int seed = 0; seed < 1000; seed++)
        {
            Random random = new(seed);
            byte[] bad = [.. whole];
            for (int i = random.Next(1, 4); i > 0; i--)
            {
                bad[hot[random.Next(hot.Length)]] = random.Next(3) switch { 0 => 0, 1 => 0xFF, _ => (byte)random.Next(256) };
            }

            try
            {
                _ = TryReadAll(files, bad, out _);
            }
            catch (Exception e) when (e is not ImageException)
            {
                Assert.Fail($"seed {seed}: {e}");
            }
        }
    }

    [Fact]
    public void BrokenL2EntriesAreNamedInQemusWords()
    {
        MemoryLocator files = new();
        byte[] whole = CreateFilled(files, out _);
        long l2 = 4 << 16;
        Assert.Contains("L2 table offset 0x40200 unaligned (L1 index: 0)", MessageAfter(3 << 16, 0x8000000000040200), StringComparison.Ordinal);
        Assert.Contains("Cluster allocation offset 0x50200 unaligned (L2 offset: 0x40000, L2 index: 0)", MessageAfter(l2, 0x8000000000050200), StringComparison.Ordinal);
        Assert.Contains("lies beyond the end of the file", MessageAfter(l2, 0x8000100000000000), StringComparison.Ordinal);
        Assert.Contains("lies beyond the end of the file", MessageAfter(3 << 16, 0x8000100000000000), StringComparison.Ordinal);

        string MessageAfter(long at, ulong entry)
        {
            byte[] bad = [.. whole];
            Put(bad, (int)at, 8, entry);
            Assert.Null(TryReadAll(files, bad, out ImageException? e));
            return e!.Message;
        }
    }

    private static byte[] Create(long size)
    {
        MemoryLocator files = new();
        new Qcow2Format().Create(new CreateRequest { FileName = "a", Locator = files, VirtualSize = size });
        return files["a"];
    }

    // An image with data, compressed and empty clusters.
    private static byte[] CreateFilled(MemoryLocator files, out byte[] content)
    {
        content = GuestContent.Make(1 << 20, 4, 200_000);
        FillHelper.Fill(files, "filled", content, compress: true);
        return files["filled"];
    }

    private static byte[]? TryReadAll(MemoryLocator files, byte[] image, out ImageException? failure)
    {
        failure = null;
        try
        {
            using IImageLayer layer = new Qcow2Format().Open(new OpenContext { File = new MemoryFile("a", image), FileName = "a", Locator = files });
            byte[] bytes = new byte[Math.Min(layer.VirtualSize, 4 << 20)];
            for (long at = 0; at < bytes.Length;)
            {
                Extent extent = layer.Map(at, bytes.Length - at);
                Assert.Equal(at, extent.Start);
                Assert.InRange(extent.Length, 1, bytes.Length - at);
                if (extent.Kind is ExtentKind.Data or ExtentKind.Compressed)
                {
                    layer.Read(extent, bytes.AsSpan((int)at, (int)extent.Length));
                }

                at = extent.End;
            }

            _ = layer.DescribeSpecific();
            return bytes;
        }
        catch (ImageException e)
        {
            failure = e;
            Assert.DoesNotContain('\n', e.Message);
            return null;
        }
    }

    private static ImageException? TryOpen(byte[] bytes, string name)
    {
        try
        {
            new Qcow2Format().Open(new OpenContext
            {
                File = new MemoryFile(name, bytes),
                FileName = name,
                Locator = new LocalFileLocator(),
                DescribeOnly = true,
            }).Dispose();
            return null;
        }
        catch (ImageException e)
        {
            Assert.DoesNotContain('\n', e.Message);
            return e;
        }
    }

    private static void Put(byte[] bytes, int offset, int length, ulong value)
    {
        Span<byte> number = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64BigEndian(number, value);
        number[(8 - length)..].CopyTo(bytes.AsSpan(offset, length));
    }
}
