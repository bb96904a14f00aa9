using System.Collections.Immutable;
using CsCheck;
using ImageCluster.Imaging;
using ImageCluster.Imaging.Formats;
using ImageCluster.Imaging.Formats.Filling;
using ImageCluster.Imaging.Storage;
using ImageCluster.Jobs.Execution;
using ImageCluster.Testing;
using ImageCluster.Testing.Storage;
using ImageCluster.Work.Converting;
using ImageCluster.Work.Tests.Support;

namespace ImageCluster.Work.Tests.Converting;

public sealed class SketchTests
{
    private const int MaxLength = 40_000;

    [Fact]
    public void AFileReadsBackWhatWasWritten() =>
        Gen.Select(Gen.Int[0, 4], Gen.Int[0, MaxLength], Gen.Int[0, 9000], Gen.Byte).Array[1, 40].Holds(steps =>
        {
            using IBlockFile file = new SketchLocator(new MemoryLocator()).Create("a", 0, OpenMode.ReadWrite);
            byte[] model = new byte[2 * MaxLength];
            int length = 0;
            foreach ((int step, int at, int count, byte value) in steps)
            {
                switch (step)
                {
                    case 0:
                    case 1:
                        byte[] data = [.. Enumerable.Repeat(value, count)];
                        file.Write(at, data);
                        data.CopyTo(model, at);
                        length = Math.Max(length, at + count);
                        break;
                    case 2:
                        file.WriteZeroes(at, count, ZeroMode.MayUnmap);
                        Array.Clear(model, at, count);
                        length = Math.Max(length, at + count);
                        break;
                    case 3:
                        file.SetLength(at);
                        Array.Clear(model, at, model.Length - at);
                        length = at;
                        break;
                    default:
                        byte[] read = new byte[count];
                        int got = file.Read(at, read);
                        Assert.Equal(Math.Clamp(length - at, 0, count), got);
                        Assert.Equal(model[at..(at + got)], read[..got]);
                        break;
                }

                Assert.Equal(length, file.Length);
            }
        });

    [Theory]
    [InlineData("raw", "")]
    [InlineData("qcow2", "")]
    [InlineData("qcow2", "cluster_size=512")]
    [InlineData("qcow2", "preallocation=metadata")]
    [InlineData("qed", "")]
    [InlineData("vdi", "")]
    [InlineData("vdi", "static=on")]
    [InlineData("vmdk", "")]
    [InlineData("vmdk", "subformat=streamOptimized")]
    [InlineData("vmdk", "subformat=twoGbMaxExtentFlat")]
    [InlineData("vpc", "")]
    [InlineData("vpc", "subformat=fixed")]
    [InlineData("vhdx", "")]
    [InlineData("parallels", "")]
    public void ASketchIsLikeTheTarget(string format, string options)
    {
        using var lab = new WorkLab();
        foreach (long size in new[] { 0, 512, 3L << 30, (1L << 40) + 512 })
        {
            var spec = new ConvertSpec
            {
                Source = WorkLab.In("a"),
                Target = WorkLab.Out("b"),
                TargetFormat = format,
                Options = options.Split(',', StringSplitOptions.RemoveEmptyEntries).Select(option => option.Split('='))
                    .ToImmutableSortedDictionary(parts => parts[0], parts => parts[1]),
            };
            // Too much metadata to make, and too large for so small clusters.
            if (options is "preallocation=metadata" or "cluster_size=512" && size > 4L << 30)
            {
                continue;
            }

            string path = lab["out/b.img"];
            if (format == "vmdk" && size == 0)
            {
                Assert.Throws<ImageException>(() => TargetSketch.GeometryOf(spec, size, path, new LocalFileLocator(), null));
                continue;
            }

            JobGeometry sketch = TargetSketch.GeometryOf(spec, size, path, new LocalFileLocator(), null);
            Assert.False(File.Exists(path));
            using IFillTarget target = FormatRegistry.Find(format)!.CreateFill(new CreateRequest
            {
                FileName = path,
                Locator = new MemoryLocator(),
                VirtualSize = size,
                Options = spec.Options,
            });
            Assert.Equal(ConvertTarget.GeometryOf(target), sketch);
        }
    }
}
