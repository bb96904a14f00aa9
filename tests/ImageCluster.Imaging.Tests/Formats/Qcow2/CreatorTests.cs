using System.Buffers.Binary;
using ImageCluster.Imaging.Formats;
using ImageCluster.Imaging.Formats.Qcow2;
using ImageCluster.Imaging.Storage;
using ImageCluster.Testing.Qemu;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Imaging.Tests.Formats.Qcow2;

/// <summary>New images have the bytes of qemu-img's; what it refuses is refused in its words.</summary>
public sealed class CreatorTests : IDisposable
{
    private readonly TempDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    public static TheoryData<string, string> Images => new()
    {
        { "", "0" },
        { "", "1" },
        { "", "1G" },
        { "", "1T" },
        { "", "1000003" },
        { "compat=0.10", "10G" },
        { "compat=v2,cluster_size=512", "100M" },
        { "compat=v3,cluster_size=512", "100M" },
        { "cluster_size=512", "3G" },
        { "cluster_size=512,refcount_bits=64", "8G" },
        { "cluster_size=1k,refcount_bits=1", "7G" },
        { "cluster_size=2k,refcount_bits=2", "64G" },
        { "cluster_size=4k,refcount_bits=4", "1T" },
        { "cluster_size=8k,refcount_bits=8", "1T" },
        { "cluster_size=128k,refcount_bits=32", "20T" },
        { "cluster_size=2M,lazy_refcounts=on", "64T" },
        { "compression_type=zstd", "5M" },
        { "extended_l2=on", "5G" },
        { "extended_l2=on,cluster_size=16k", "50G" },
        { "data_file=DATA", "7M" },
        { "data_file=DATA,data_file_raw=on", "1G" },
        { "data_file=DATA,preallocation=falloc", "3M" },
        { "backing_file=base.qcow2,backing_fmt=qcow2", "33M" },
        { "backing_file=base.qcow2,backing_fmt=raw,compat=0.10", "33M" },
        { "backing_file=./././././././././base.qcow2,backing_fmt=qcow2,cluster_size=512", "33M" },
        { "backing_file=base.qcow2,backing_fmt=qcow2,extended_l2=on,preallocation=metadata", "33M" },
        { "backing_file=base.qcow2,backing_fmt=qcow2,extended_l2=on,preallocation=falloc", "3M" },
        { "preallocation=metadata", "0" },
        { "preallocation=metadata", "100M" },
        { "preallocation=metadata", "3G" },
        { "preallocation=metadata,compat=0.10", "10000001" },
        { "preallocation=metadata,cluster_size=512", "10M" },
        { "preallocation=metadata,cluster_size=512,refcount_bits=64", "5M" },
        { "preallocation=metadata,cluster_size=1k,refcount_bits=1", "20M" },
        { "preallocation=metadata,cluster_size=4k,refcount_bits=32", "100M" },
        { "preallocation=metadata,extended_l2=on", "2G" },
        { "preallocation=falloc", "0" },
        { "preallocation=falloc", "10M" },
        { "preallocation=falloc,cluster_size=512", "9M" },
        { "preallocation=falloc,cluster_size=1k,refcount_bits=64", "18M" },
        { "preallocation=falloc,extended_l2=on", "7000000" },
        { "preallocation=full", "3M" },
        { "preallocation=full,cluster_size=2M", "9M" },
        { "preallocation=full,cluster_size=512,refcount_bits=1", "9M" },
        { "nocow=on,extent_size_hint=1M", "9M" },
    };

    [SkippableTheory]
    [MemberData(nameof(Images))]
    public void BytesAreQemus(string options, string size)
    {
        QemuTools.Require();
        QemuTools.Img("create", "-q", "-f", "qcow2", _directory["base.qcow2"], "64M");
        string theirs = _directory["image.qcow2"];
        string[] given = options.Length == 0 ? [] : ["-o", options.Replace("DATA", _directory["data.raw"])];
        QemuTools.Img(["create", "-q", "-f", "qcow2", "-u", .. given, theirs, size]);
        File.Move(theirs, _directory["theirs.qcow2"]);
        (long Length, long Blocks)? dataFile = null;
        if (File.Exists(_directory["data.raw"]))
        {
            dataFile = Facts(_directory["data.raw"]);
            File.Delete(_directory["data.raw"]);
        }

        Assert.True(ByteSize.TryParse(size, out long bytes));
        new Qcow2Format().Create(Request(theirs, bytes, options.Replace("DATA", _directory["data.raw"])));
        AssertSameFiles(_directory["theirs.qcow2"], theirs);
        if (dataFile is not null)
        {
            Assert.Equal(dataFile.Value.Length, Facts(_directory["data.raw"]).Length);
        }

        QemuTools.Img("check", "-q", "-f", "qcow2", theirs);
    }

    [SkippableFact]
    public void ADataFileThatSomebodyUsesStays()
    {
        QemuTools.Require();
        string data = _directory["data.raw"];
        QemuTools.Img("create", "-q", "-f", "raw", data, "1M");
        using (QemuHolder.Io(data, "raw"))
        {
            CreateRequest request = Request(_directory["image.qcow2"], 1 << 20, $"data_file={data}");
            Assert.Contains("lock", Assert.Throws<ImageException>(() => new Qcow2Format().Create(request)).Message, StringComparison.Ordinal);
            Assert.Equal(1 << 20, new FileInfo(data).Length);
            Assert.Contains("lock", Assert.Throws<ImageException>(() => new Qcow2Format().CreateFill(request)).Message, StringComparison.Ordinal);
            Assert.Equal(1 << 20, new FileInfo(data).Length);
        }
    }

    [Fact]
    public void NothingIsLeftOfAnImageWhoseDataFileCannotBeMade()
    {
        string path = _directory["image.qcow2"];
        foreach (string data in new[] { path, _directory["nowhere/data.raw"] })
        {
            CreateRequest request = Request(path, 1 << 20, $"data_file={data}");
            Assert.Throws<ImageException>(() => new Qcow2Format().Create(request));
            Assert.Throws<ImageException>(() => new Qcow2Format().CreateFill(request));
            Assert.Empty(Directory.EnumerateFileSystemEntries(_directory.Path));
        }
    }

    [SkippableTheory]
    [InlineData("cluster_size=777", "1M")]
    [InlineData("cluster_size=4M", "1M")]
    [InlineData("cluster_size=0", "1M")]
    [InlineData("cluster_size=256", "1M")]
    [InlineData("compat=0.9", "1M")]
    [InlineData("compat=0.10,refcount_bits=1", "1M")]
    [InlineData("compat=0.10,lazy_refcounts=on", "1M")]
    [InlineData("refcount_bits=3", "1M")]
    [InlineData("refcount_bits=0", "1M")]
    [InlineData("refcount_bits=128", "1M")]
    [InlineData("compression_type=lzo", "1M")]
    [InlineData("compression_type=zstd,compat=0.10", "1M")]
    [InlineData("extended_l2=on,cluster_size=8k", "1M")]
    [InlineData("extended_l2=on,compat=0.10", "1M")]
    [InlineData("data_file_raw=on", "1M")]
    [InlineData("data_file=DATA,compat=0.10", "1M")]
    [InlineData("data_file=DATA,data_file_raw=on,backing_file=base.qcow2,backing_fmt=qcow2", "1M")]
    [InlineData("preallocation=metadata,backing_file=base.qcow2,backing_fmt=qcow2", "1M")]
    [InlineData("preallocation=foo", "1M")]
    [InlineData("backing_fmt=raw", "1M")]
    [InlineData("backing_file=base.qcow2,backing_fmt=nosuch", "1M")]
    [InlineData("lazy_refcounts=maybe", "1M")]
    [InlineData("cluster_size=512", "1T")]
    [InlineData("", "7E")]
    [InlineData("cluster_size=2M", "7E")]
    public void RefusalsAreQemus(string options, string size)
    {
        QemuTools.Require();
        QemuTools.Img("create", "-q", "-f", "qcow2", _directory["base.qcow2"], "64M");
        string image = _directory["image.qcow2"];
        options = options.Replace("DATA", _directory["data.raw"]);
        string[] given = options.Length == 0 ? [] : ["-o", options];
        ToolResult result = QemuTools.TryImg(["create", "-q", "-f", "qcow2", "-u", .. given, image, size]);
        Assert.NotEqual(0, result.ExitCode);
        Assert.True(ByteSize.TryParse(size, out long bytes));
        ImageException e = Assert.Throws<ImageException>(() => new Qcow2Format().Create(Request(image, bytes, options)));
        Assert.Contains(e.Message, result.Error, StringComparison.Ordinal);
        Assert.EndsWith(": " + e.Message, result.Error.TrimEnd(), StringComparison.Ordinal);
        Assert.False(File.Exists(image));
    }

    [Fact]
    public void ABackingNameThatDoesNotFitIsRefused()
    {
        string image = _directory["image.qcow2"];
        ImageException e = Assert.Throws<ImageException>(() =>
            new Qcow2Format().Create(Request(image, 1 << 20, $"cluster_size=512,backing_file={new string('x', 450)},backing_fmt=qcow2")));
        Assert.Contains("do not fit into one cluster", e.Message, StringComparison.Ordinal);
        e = Assert.Throws<ImageException>(() =>
            new Qcow2Format().Create(Request(image, 1 << 20, $"backing_file={new string('x', 1024)},backing_fmt=qcow2")));
        Assert.Equal("Backing file name too long", e.Message);
        Assert.False(File.Exists(image));
    }

    internal static CreateRequest Request(string path, long size, string options, bool compress = false) => new()
    {
        FileName = path,
        Locator = new LocalFileLocator(),
        VirtualSize = size,
        Compress = compress,
        Options = options.Split(',', StringSplitOptions.RemoveEmptyEntries).Select(option => option.Split('=', 2)).ToDictionary(o => o[0], o => o[1]),
    };

    internal static void AssertSameFiles(string expected, string actual)
    {
        using FileReader a = new(expected);
        using FileReader b = new(actual);
        Assert.Equal(a.Length, b.Length);
        byte[] left = new byte[1 << 20];
        byte[] right = new byte[1 << 20];
        for (long at = 0; at < a.Length;)
        {
            // Holes on both sides need no look.
            long next = Math.Min(a.NextData(at), b.NextData(at));
            at = Math.Max(at, next & ~511L);
            if (at >= a.Length)
            {
                break;
            }

            int read = a.Read(at, left);
            Assert.Equal(read, b.Read(at, right));
            for (int same = 0; ; same++)
            {
                same += left.AsSpan(same, read - same).CommonPrefixLength(right.AsSpan(same, read - same));
                if (same == read)
                {
                    break;
                }

                Assert.True(IsLeftOver(a, at + same), $"files differ at 0x{at + same:x}");
            }

            at += read;
        }
    }

    // When the refcount table moves, QEMU leaves what was in the old one's clusters, which are free from then on.
    private static bool IsLeftOver(FileReader image, long offset)
    {
        byte[] header = new byte[104];
        image.Read(0, header);
        int clusterBits = BinaryPrimitives.ReadInt32BigEndian(header.AsSpan(20));
        int order = BinaryPrimitives.ReadInt32BigEndian(header.AsSpan(4)) == 2 ? 4 : BinaryPrimitives.ReadInt32BigEndian(header.AsSpan(96));
        long table = BinaryPrimitives.ReadInt64BigEndian(header.AsSpan(48));
        long cluster = offset >> clusterBits;
        int blockBits = clusterBits + 3 - order;
        byte[] entry = new byte[8];
        image.Read(table + ((cluster >> blockBits) * 8), entry);
        long block = BinaryPrimitives.ReadInt64BigEndian(entry);
        byte[] cell = new byte[8];
        long bit = (cluster & ((1L << blockBits) - 1)) << order;
        int bits = 1 << order;
        image.Read(block + (bit / 8), cell.AsSpan(0, Math.Max(1, bits / 8)));
        int count = bits < 8 ? (cell[0] >> (int)(bit & 7)) & ((1 << bits) - 1) : cell.Sum(b => b);
        return table != 1L << clusterBits && count == 0;
    }

    private static (long Length, long Blocks) Facts(string path)
    {
        using FileReader file = new(path);
        return (file.Length, 0);
    }

    private sealed class FileReader(string path) : IDisposable
    {
        private readonly IBlockFile _file = new LocalFileLocator().Open(path, OpenMode.ReadOnly);

        public long Length => _file.Length;

        public int Read(long offset, Span<byte> buffer) => _file.Read(offset, buffer);

        public long NextData(long offset)
        {
            while (offset < Length)
            {
                (long length, bool hole) = _file.NextRange(offset, Length - offset);
                if (!hole)
                {
                    return offset;
                }

                offset += length;
            }

            return offset;
        }

        public void Dispose() => _file.Dispose();
    }
}
