using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Formats;
using ImageCluster.Imaging.Formats.Filling;
using ImageCluster.Imaging.Formats.Qcow2;
using ImageCluster.Imaging.Formats.Raw;
using ImageCluster.Imaging.Operations.Converting;
using ImageCluster.Imaging.Storage;
using ImageCluster.Testing.Qemu;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Imaging.Tests.Formats.Qcow2;

/// <summary>What is filled has the bytes of qemu-img convert's target, and QEMU's tools find nothing wrong with it.</summary>
public sealed class FillTests : IDisposable
{
    private readonly TempDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    public static TheoryData<string, int, int> Layouts => new()
    {
        { "", 20_000_000, 64 },
        { "compat=0.10", 5_000_192, 64 },
        { "cluster_size=512", 3_000_320, 16 },
        { "cluster_size=512,refcount_bits=64", 3_000_320, 16 },
        { "cluster_size=512", 20_000_256, 512 },
        { "cluster_size=1k", 20_000_256, 64 },
        { "cluster_size=2k,refcount_bits=1", 20_000_256, 64 },
        { "cluster_size=4k,refcount_bits=64", 30_000_128, 1024 },
        { "cluster_size=8k", 20_000_256, 256 },
        { "cluster_size=32k", 30_000_128, 256 },
        { "cluster_size=2M", 30_000_128, 4096 },
        { "extended_l2=on", 20_000_256, 64 },
        { "extended_l2=on,cluster_size=16k", 10_000_384, 16 },
        { "extended_l2=on,cluster_size=2M", 10_000_384, 256 },
        { "data_file=DATA", 5_000_192, 64 },
        { "data_file=DATA,extended_l2=on", 5_000_192, 64 },
        { "data_file=DATA,data_file_raw=on", 5_000_192, 64 },
        { "preallocation=metadata", 5_000_192, 64 },
        { "preallocation=falloc,cluster_size=4k", 5_000_192, 64 },
        { "preallocation=full,extended_l2=on", 5_000_192, 64 },
        { "lazy_refcounts=on,refcount_bits=8", 5_000_192, 64 },
    };

    [SkippableTheory]
    [MemberData(nameof(Layouts))]
    public void UncompressedBytesAreQemus(string options, int size, int grainKib)
    {
        QemuTools.Require();
        byte[] content = GuestContent.Make(size, options.Sum(c => c) + size, grainKib << 10);
        WriteSource(content);
        string ours = Convert(options, threads: 3);
        byte[]? data = TakeDataFile();
        string theirs = _directory["theirs.qcow2"];
        QemuConvert(options, theirs);
        CreatorTests.AssertSameFiles(theirs, ours);
        if (data is not null)
        {
            // QEMU lets the data file grow to whole clusters; ours stays as large as the disk.
            byte[] qemus = File.ReadAllBytes(_directory["data.raw"]);
            Assert.Equal(size, data.Length);
            Qcow2TestImages.AssertSame(data, qemus[..size]);
        }

        AssertGood(ours, content);
    }

    [SkippableTheory]
    [InlineData(0)]
    [InlineData(512)]
    [InlineData(65536)]
    [InlineData(200_000)]
    [InlineData(1 << 20)]
    public void SparseSizeIsQemus(int sparse)
    {
        QemuTools.Require();
        byte[] content = GuestContent.Make(9_000_448, sparse + 5, 100_000);
        WriteSource(content);
        string ours = Convert("cluster_size=16k", threads: 2, sparse: sparse);
        string theirs = _directory["theirs.qcow2"];
        QemuConvert("cluster_size=16k", theirs, "-S", $"{sparse / 512 * 512}");
        AssertGood(ours, content);
        if (sparse % 512 == 0)
        {
            CreatorTests.AssertSameFiles(theirs, ours);
        }
    }

    [SkippableTheory]
    [InlineData("", 10_000_384)]
    [InlineData("compression_type=zstd", 10_000_384)]
    [InlineData("compat=0.10", 10_000_384)]
    [InlineData("cluster_size=512", 1_000_448)]
    [InlineData("cluster_size=4k,compression_type=zstd", 4_000_256)]
    [InlineData("cluster_size=2M", 10_000_384)]
    [InlineData("cluster_size=2M,compression_type=zstd,extended_l2=on", 10_000_384)]
    [InlineData("refcount_bits=1", 10_000_384)]
    [InlineData("refcount_bits=2", 10_000_384)]
    [InlineData("refcount_bits=4,cluster_size=16k", 10_000_384)]
    public void CompressedImagesAreGood(string options, int size)
    {
        QemuTools.Require();
        byte[] content = GuestContent.Make(size, options.Sum(c => c), 300_000);
        WriteSource(content);
        string ours = Convert(options, threads: 2, compress: true);
        AssertGood(ours, content);
        string theirs = _directory["theirs.qcow2"];
        QemuConvert(options, theirs, "-c");
        Assert.InRange(new FileInfo(ours).Length, 1, new FileInfo(theirs).Length * 11 / 10 + 65536);
    }

    [SkippableFact]
    public void CompressedBytesDoNotDependOnThreads()
    {
        QemuTools.Require();
        byte[] content = GuestContent.Make(20_000_256, 77, 100_000);
        WriteSource(content);
        string one = Convert("", threads: 1, compress: true, name: "one.qcow2");
        string four = Convert("", threads: 4, compress: true, name: "four.qcow2");
        CreatorTests.AssertSameFiles(one, four);
    }

    private void WriteSource(byte[] content) => File.WriteAllBytes(_directory["source.raw"], content);

    private byte[]? TakeDataFile()
    {
        string path = _directory["data.raw"];
        if (!File.Exists(path))
        {
            return null;
        }

        // Both images name the same file, so ours is read and put away before QEMU makes its own.
        byte[] data = File.ReadAllBytes(path);
        File.Delete(path);
        return data;
    }

    private void QemuConvert(string options, string target, params string[] flags)
    {
        string[] given = options.Length == 0 ? [] : ["-o", options.Replace("DATA", _directory["data.raw"])];
        QemuTools.Img(["convert", "-f", "raw", "-O", "qcow2", .. flags, .. given, _directory["source.raw"], target]);
    }

    private string Convert(string options, int threads, bool compress = false, int sparse = 4096, string name = "ours.qcow2")
    {
        string path = _directory[name];
        using LayeredDisk source = new(new RawFormat().Open(new OpenContext
        {
            File = new LocalFileLocator().Open(_directory["source.raw"], OpenMode.ReadOnly),
            FileName = _directory["source.raw"],
            Locator = new LocalFileLocator(),
        }));
        CreateRequest request = CreatorTests.Request(path, source.VirtualSize, options.Replace("DATA", _directory["data.raw"]), compress);
        using IFillTarget target = new Qcow2Format().CreateFill(request);
        new Converter(new DiskSource(source), target, new ConvertOptions { Threads = threads, SparseSize = sparse }).Run(default);
        byte[] head = new byte[4];
        using (IBlockFile file = new LocalFileLocator().Open(path, new OpenMode { Lock = ImageLock.None }))
        {
            file.ReadPadded(0, head);
        }

        Assert.Equal(0, head[0]);
        target.Finish();
        return path;
    }

    private void AssertGood(string image, byte[] content)
    {
        QemuTools.Img("check", "-q", "-f", "qcow2", image);
        QemuTools.Img("compare", "-q", "-f", "raw", "-F", "qcow2", _directory["source.raw"], image);
        Qcow2TestImages.CompareAtRandom(image, Padded(content), 3);
    }

    private static byte[] Padded(byte[] content)
    {
        byte[] padded = new byte[(content.Length + 511) & ~511];
        content.CopyTo(padded, 0);
        return padded;
    }
}
