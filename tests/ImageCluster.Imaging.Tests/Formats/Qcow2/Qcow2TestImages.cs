using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Extents;
using ImageCluster.Imaging.Formats;
using ImageCluster.Imaging.Formats.Qcow2;
using ImageCluster.Imaging.Formats.Raw;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Tests.Formats.Qcow2;

/// <summary>Opens images of the tests and reads them whole.</summary>
internal static class Qcow2TestImages
{
    public static readonly LocalFileLocator Locator = new();

    public static IImageLayer Open(string path, bool forCheck = false, bool describeOnly = false) => new Qcow2Format().Open(new OpenContext
    {
        File = Locator.Open(path, OpenMode.ReadOnly),
        FileName = path,
        Locator = Locator,
        ForCheck = forCheck,
        DescribeOnly = describeOnly,
    });

    /// <summary>The image and all its backing files.</summary>
    public static LayeredDisk OpenChain(string path)
    {
        List<IImageLayer> layers = [];
        for (string? next = path; next is not null;)
        {
            IImageLayer layer = Path.GetExtension(next) == ".raw"
                ? new RawFormat().Open(new OpenContext { File = Locator.Open(next, OpenMode.ReadOnly), FileName = next, Locator = Locator })
                : Open(next);
            layers.Add(layer);
            next = layer.Backing is { } backing ? Locator.Combine(next, backing.Name) : null;
        }

        return new LayeredDisk(layers);
    }

    public static byte[] ReadAll(string path)
    {
        using LayeredDisk disk = OpenChain(path);
        byte[] bytes = new byte[disk.VirtualSize];
        disk.Read(0, bytes);
        return bytes;
    }

    /// <summary>Reads in pieces of random places and lengths until about the whole disk was read, and compares each with the model.</summary>
    public static void CompareAtRandom(string path, byte[] expected, int seed)
    {
        using LayeredDisk disk = OpenChain(path);
        Random random = new(seed);
        for (long read = 0; read < expected.Length;)
        {
            int start = random.Next(expected.Length);
            int length = Math.Min(expected.Length - start, random.Next(1, random.Next(3) == 0 ? 700_000 : 5000));
            byte[] part = new byte[length];
            disk.Read(start, part);
            Assert.True(part.AsSpan().SequenceEqual(expected.AsSpan(start, length)), $"bytes {start} to {start + length} differ (seed {seed})");
            read += length;
        }
    }

    public static void AssertSame(byte[] expected, byte[] actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        int at = expected.AsSpan().CommonPrefixLength(actual);
        Assert.True(at == expected.Length, $"first difference at 0x{at:x}: {(at < expected.Length ? $"{expected[at]:x2}, not {actual[at]:x2}" : "")}");
    }

    /// <summary>The extents of the image alone.</summary>
    public static List<Extent> MapAll(IImageLayer layer)
    {
        List<Extent> extents = [];
        for (long at = 0; at < layer.VirtualSize;)
        {
            Extent extent = layer.Map(at, layer.VirtualSize - at);
            Assert.Equal(at, extent.Start);
            Assert.InRange(extent.Length, 1, layer.VirtualSize - at);
            extents.Add(extent);
            at = extent.End;
        }

        return extents;
    }
}
