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
}
