using System.Globalization;
using ImageCluster.Testing;
using ImageCluster.Testing.Qemu;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Imaging.Tests.Formats.Qcow2;

/// <summary>Random changes of an image with bitmaps by us and by QEMU's tools in turn, against a plain model.</summary>
public sealed class BitmapModelTests : IDisposable
{
    private readonly TempDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [SkippableTheory]
    [InlineData("cluster_size=512")]
    [InlineData("cluster_size=512,refcount_bits=64")]
    [InlineData("cluster_size=4k,lazy_refcounts=on")]
    [InlineData("cluster_size=64k")]
    [InlineData("cluster_size=64k,extended_l2=on")]
    [InlineData("cluster_size=2M")]
    [InlineData("cluster_size=4k,data_file=DATA")]
    public void BothKeepTheSameBitmaps(string options)
    {
        QemuTools.Require();
        int seed = TestSeed.Value + options.Length;
        Random random = new(seed);
        string path = _directory["a.qcow2"];
        int size = (1 << 20) + (random.Next(4000) * 512);
        QemuTools.Img("create", "-q", "-f", "qcow2", "-o", options.Replace("DATA", _directory["data.raw"]), path, size.ToString(CultureInfo.InvariantCulture));
        using BitmapModel model = new(path, size, random) { CanSnapshot = !options.Contains("data_file") };
        try
        {
            for (int phase = 0; phase < 5; phase++)
            {
                for (int step = 0; step < 8; step++)
                {
                    model.Step();
                }

                model.Verify();
            }
        }
        catch (Exception e)
        {
            throw new InvalidOperationException($"seed {TestSeed.Value}: {e.Message}\n{e.StackTrace}\n{string.Join('\n', model.Log)}", e);
        }
    }
}
