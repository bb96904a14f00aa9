using System.Globalization;
using ImageCluster.Testing;
using ImageCluster.Testing.Qemu;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Imaging.Tests.Formats.Qcow2;

/// <summary>Random writes against a plain array of bytes; QEMU's tools check, compare, and write in between.</summary>
public sealed class WriterTests : IDisposable
{
    private readonly TempDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    public static TheoryData<string, bool> Options => new()
    {
        { "cluster_size=512", false },
        { "cluster_size=512,refcount_bits=64", true },
        { "cluster_size=1k,refcount_bits=1", true },
        { "cluster_size=4k,compression_type=zstd", false },
        { "cluster_size=4k,lazy_refcounts=on", true },
        { "cluster_size=64k", true },
        { "cluster_size=2M", true },
        { "compat=0.10,cluster_size=4k", false },
        { "compat=0.10,cluster_size=64k", true },
        { "extended_l2=on,cluster_size=16k", false },
        { "extended_l2=on,cluster_size=64k,compression_type=zstd", true },
        { "preallocation=metadata,cluster_size=4k", false },
        { "data_file=DATA,cluster_size=4k", false },
        { "data_file=DATA,data_file_raw=on,cluster_size=64k", false },
        { "data_file=DATA,extended_l2=on,cluster_size=32k", true },
    };

    [SkippableTheory]
    [MemberData(nameof(Options))]
    public void WhatIsWrittenIsReadAndCheckedByQemu(string options, bool backing)
    {
        QemuTools.Require();
        int seed = TestSeed.Value;
        for (int round = 0; round < 1; round++)
        {
            try
            {
                RunRound(options, backing, seed + round);
            }
            catch (Exception e)
            {
                throw new InvalidOperationException(string.Create(CultureInfo.InvariantCulture, $"seed {seed + round}: {e.Message} {e.StackTrace}"), e);
            }
        }
    }

    private void RunRound(string options, bool backing, int seed)
    {
        Random random = new(seed);
        int size = (random.Next(2) == 0 ? 3 << 20 : 1 << 20) + random.Next(3) * 512 * 7;
        byte[] below = [];
        string image = _directory["a.qcow2"];
        string basePath = _directory["base.raw"];
        List<string> arguments = ["create", "-q", "-f", "qcow2", "-o", options.Replace("DATA", _directory["data.raw"])];
        if (backing)
        {
            below = GuestContent.Make(random.Next(2) == 0 ? size : size / 1024 * 512, seed);
            File.WriteAllBytes(basePath, below);
            arguments.AddRange(["-b", basePath, "-F", "raw"]);
        }

        QemuTools.Img([.. arguments, image, size.ToString(CultureInfo.InvariantCulture)]);
        byte[] content = new byte[size];
        below.CopyTo(content, 0);
        using WriterModel model = new(image, backing ? basePath : null, content, below, random)
        {
            CanCompress = !options.Contains("data_file"),
            CanSnapshot = !options.Contains("data_file") && !options.Contains("refcount_bits=1"),
            CanResize = !backing && !options.Contains("0.10"),
        };
        for (int phase = 0; phase < 3; phase++)
        {
            for (int step = 0; step < 25; step++)
            {
                model.Step(qemu: true);
            }

            model.Verify(_directory["model.raw"]);
        }
    }
}
