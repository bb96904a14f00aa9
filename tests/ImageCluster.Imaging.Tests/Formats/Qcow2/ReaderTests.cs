using System.Text.Json;
using ImageCluster.Imaging.Extents;
using ImageCluster.Imaging.Formats;
using ImageCluster.Imaging.Formats.Qcow2;
using ImageCluster.Imaging.Storage;
using ImageCluster.Testing.Qemu;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Imaging.Tests.Formats.Qcow2;

/// <summary>What QEMU's tools write is read byte for byte.</summary>
public sealed class ReaderTests : IDisposable
{
    private readonly TempDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    public static TheoryData<string, bool> Options => new()
    {
        { "compat=1.1", false },
        { "compat=0.10", false },
        { "compat=0.10", true },
        { "cluster_size=512", false },
        { "cluster_size=512", true },
        { "cluster_size=4k", true },
        { "cluster_size=2M", false },
        { "cluster_size=2M", true },
        { "extended_l2=on", false },
        { "extended_l2=on,cluster_size=16k", true },
        { "extended_l2=on,cluster_size=2M", false },
        { "compression_type=zstd", true },
        { "compression_type=zstd,cluster_size=512", true },
        { "compression_type=zstd,cluster_size=2M,extended_l2=on", true },
        { "refcount_bits=1", false },
        { "refcount_bits=8,cluster_size=1k", false },
        { "refcount_bits=64,lazy_refcounts=on", true },
        { "preallocation=metadata", false },
        { "preallocation=falloc,cluster_size=8k", false },
        { "data_file=DATA", false },
        { "data_file=DATA,data_file_raw=on", false },
        { "data_file=DATA,extended_l2=on,cluster_size=32k", false },
    };

    [SkippableTheory]
    [MemberData(nameof(Options))]
    public void ReadsWhatConvertWrites(string options, bool compress)
    {
        QemuTools.Require();
        int size = 5 * 1024 * 1024 + 7 * 512;
        byte[] expected = GuestContent.Make(size, options.Sum(c => c));
        File.WriteAllBytes(_directory["a.raw"], expected);
        string image = _directory["a.qcow2"];
        string[] flags = compress ? ["-c"] : [];
        QemuTools.Img(["convert", "-f", "raw", "-O", "qcow2", .. flags, "-o", options.Replace("DATA", _directory["data.raw"]), _directory["a.raw"], image]);
        Qcow2TestImages.AssertSame(expected, Qcow2TestImages.ReadAll(image));
        Qcow2TestImages.CompareAtRandom(image, expected, 1);
    }

    public static TheoryData<string, int> Written => new()
    {
        { "", 1 },
        { "compat=0.10", 2 },
        { "cluster_size=512", 3 },
        { "cluster_size=4k,refcount_bits=32", 4 },
        { "cluster_size=2M", 5 },
        { "extended_l2=on", 6 },
        { "extended_l2=on,cluster_size=16k", 7 },
        { "extended_l2=on,cluster_size=2M", 8 },
        { "compression_type=zstd,extended_l2=on", 9 },
        { "data_file=DATA", 10 },
        { "data_file=DATA,data_file_raw=on", 11 },
        { "preallocation=metadata,extended_l2=on", 12 },
        { "lazy_refcounts=on,cluster_size=16k", 13 },
    };

    [SkippableTheory]
    [MemberData(nameof(Written))]
    public void ReadsWhatQemuIoWritesOverABackingFile(string options, int seed)
    {
        QemuTools.Require();
        const int Size = 6 << 20;
        Random random = new(seed);
        bool raw = options.Contains("data_file_raw", StringComparison.Ordinal);
        bool packs = !options.Contains("data_file", StringComparison.Ordinal) && !options.Contains("preallocation", StringComparison.Ordinal);
        string image = _directory["top.qcow2"];
        byte[] expected = new byte[Size];
        if (!raw)
        {
            // A shorter base of other clusters, over a raw one that is shorter still.
            byte[] bottom = GuestContent.Make(4_000_256, seed, 100_000);
            File.WriteAllBytes(_directory["bottom.raw"], bottom);
            QemuTools.Img("create", "-q", "-f", "qcow2", "-o", "cluster_size=8k", "-b", "bottom.raw", "-F", "raw", _directory["base.qcow2"], "5000192");
            QemuTools.Io(_directory["base.qcow2"], "qcow2", "write -P 0x77 3500000 1000000", "write -z 1000000 300000");
        }

        string[] backing = raw ? [] : ["-b", "base.qcow2", "-F", "qcow2"];
        string[] given = options.Length == 0 ? [] : ["-o", options.Replace("DATA", _directory["data.raw"])];
        QemuTools.Img(["create", "-q", "-f", "qcow2", .. given, .. backing, image, $"{Size}"]);
        List<string> commands = [];
        for (int i = 0; i < 40; i++)
        {
            int start = random.Next(Size);
            int length = Math.Min(Size - start, random.Next(1, random.Next(4) == 0 ? 1_500_000 : 40_000));
            string range = $"{start} {length}";
            string aligned = $"{start & ~0x3FFFF} 256k";
            commands.Add(random.Next(7) switch
            {
                0 => $"write -z {range}",
                1 => $"write -z -u {aligned}",
                2 => $"discard {aligned}",
                _ => $"write -P {i + 1} {range}",
            });
        }

        if (packs)
        {
            commands.InsertRange(0, ["write -c -P 0xc1 0 2M", "write -c -P 0xc2 4M 2M"]);
        }

        QemuTools.Io(image, "qcow2", [.. commands]);
        QemuTools.Img("convert", "-f", "qcow2", "-O", "raw", image, _directory["expected.raw"]);
        expected = File.ReadAllBytes(_directory["expected.raw"]);
        Qcow2TestImages.AssertSame(expected, Qcow2TestImages.ReadAll(image));
        Qcow2TestImages.CompareAtRandom(image, expected, seed);
    }

    [SkippableTheory]
    [InlineData("")]
    [InlineData("cluster_size=1k,refcount_bits=4")]
    [InlineData("extended_l2=on")]
    public void ReadsAnImageWithSnapshots(string options)
    {
        QemuTools.Require();
        string image = _directory["a.qcow2"];
        string[] given = options.Length == 0 ? [] : ["-o", options];
        QemuTools.Img(["create", "-q", "-f", "qcow2", .. given, image, "3M"]);
        QemuTools.Io(image, "qcow2", "write -P 1 0 1M");
        QemuTools.Img("snapshot", "-c", "first", image);
        QemuTools.Io(image, "qcow2", "write -P 2 500k 1M");
        QemuTools.Img("snapshot", "-c", "the second", image);
        QemuTools.Io(image, "qcow2", "write -P 3 1000k 1M", "write -z 0 100k");
        byte[] expected = new byte[3 << 20];
        expected.AsSpan(100 << 10, 1 << 20).Fill(1);
        expected.AsSpan(500 << 10, 1 << 20).Fill(2);
        expected.AsSpan(1000 << 10, 1 << 20).Fill(3);
        Qcow2TestImages.AssertSame(expected, Qcow2TestImages.ReadAll(image));
        using Qcow2Image open = (Qcow2Image)Qcow2TestImages.Open(image);
        Assert.Equal(["1", "2"], open.Snapshots.Select(s => s.Id));
        Assert.Equal(["first", "the second"], open.Snapshots.Select(s => s.Name));
        Assert.All(open.Snapshots, s => Assert.Equal(3 << 20, s.DiskSize));
    }

    [SkippableTheory]
    [InlineData("cluster_size=4k", false)]
    [InlineData("extended_l2=on,cluster_size=16k", false)]
    [InlineData("compat=0.10,cluster_size=2k", false)]
    [InlineData("cluster_size=16k", true)]
    [InlineData("data_file=DATA,cluster_size=16k", false)]
    public void ExtentsAreQemus(string options, bool compress)
    {
        QemuTools.Require();
        byte[] content = GuestContent.Make(4_000_256, options.Length, 60_000);
        File.WriteAllBytes(_directory["a.raw"], content);
        string image = _directory["a.qcow2"];
        string[] flags = compress ? ["-c"] : [];
        QemuTools.Img(["convert", "-f", "raw", "-O", "qcow2", .. flags, "-o", options.Replace("DATA", _directory["data.raw"]), _directory["a.raw"], image]);
        using IImageLayer layer = Qcow2TestImages.Open(image);
        List<(long, long, bool, long?)> ours = Merge(Qcow2TestImages.MapAll(layer).Select(e =>
            (e.Start, e.Length, e.Kind is ExtentKind.Data or ExtentKind.Compressed, e.Kind == ExtentKind.Data ? e.HostOffset : (long?)null)));
        List<(long, long, bool, long?)> theirs = [];
        foreach (JsonElement e in JsonDocument.Parse(QemuTools.Img("map", "--output=json", "-f", "qcow2", image)).RootElement.EnumerateArray())
        {
            bool data = e.GetProperty("data").GetBoolean();
            long? offset = data && e.TryGetProperty("offset", out JsonElement o) ? o.GetInt64() : null;
            theirs.Add((e.GetProperty("start").GetInt64(), e.GetProperty("length").GetInt64(), data, offset));
        }

        Assert.Equal(Merge(theirs), ours);

        // Each look gives a whole run of clusters, not a cluster at a time.
        if (!compress)
        {
            Assert.True(Qcow2TestImages.MapAll(layer).Count < 3 * ours.Count + (layer.VirtualSize >> 15), "extents are not coalesced");
        }
    }

    [Fact]
    public void AnEmptyTebibyteIsOneExtent()
    {
        MemoryLocator files = new();
        Qcow2Format format = new();
        format.Create(new CreateRequest { FileName = "a", Locator = files, VirtualSize = 1L << 40 });
        using IImageLayer layer = format.Open(new OpenContext { File = files.Open("a", OpenMode.ReadOnly), FileName = "a", Locator = files });
        Assert.Equal(new Extent(5, (1L << 40) - 5, ExtentKind.Absent), layer.Map(5, (1L << 40) - 5));
    }

    private static List<(long Start, long Length, bool Data, long? Offset)> Merge(IEnumerable<(long Start, long Length, bool Data, long? Offset)> extents)
    {
        List<(long Start, long Length, bool Data, long? Offset)> merged = [];
        foreach ((long start, long length, bool data, long? offset) in extents)
        {
            if (merged.Count > 0 && merged[^1] is var last && last.Data == data
                && (offset is null ? last.Offset is null : last.Offset + last.Length == offset))
            {
                merged[^1] = last with { Length = last.Length + length };
            }
            else
            {
                merged.Add((start, length, data, offset));
            }
        }

        return merged;
    }
}
