using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Formats;
using ImageCluster.Imaging.Formats.Capabilities;
using ImageCluster.Imaging.Formats.Qcow2;
using ImageCluster.Imaging.Storage;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Imaging.Tests.Chains;

/// <summary>Images that lie in other images: read, written, grown; and what options say of a backing file.</summary>
public sealed class LayeredFileTests
{
    private const int Size = 200 * 1024;
    private const int Start = 33 * 512;

    private readonly MemoryLocator _files = new();

    [Theory]
    [InlineData("raw")]
    [InlineData("qcow2")]
    public void AnImageInAnImageIsWrittenAndGrowsWithIt(string outer)
    {
        CreateQcow2("inner.qcow2", Size);
        byte[] inner = _files["inner.qcow2"];
        CreateOuter(outer, inner);
        ImageSource container = Container(outer);
        byte[] model = new byte[Size];
        Random random = new(5);
        using (LayeredDisk disk = Open(container, write: true))
        {
            for (int i = 0; i < 50; i++)
            {
                int start = random.Next(Size);
                byte[] data = new byte[random.Next(Math.Min(Size - start, 9000) + 1)];
                random.NextBytes(data);
                disk.Write(start, data);
                data.CopyTo(model, start);
            }
        }

        using LayeredDisk again = Open(container, write: false);
        Assert.Equal(model, ReadAll(again));
        Assert.Equal(0, ((ICheckable)again.Top).Check(CheckRepair.None).Corruptions);
    }

    [Fact]
    public void ImagesThatLieInEachOtherWithoutEndAreRefused()
    {
        _files["a.raw"] = new byte[4096];
        ImageSource container = new() { FileName = "a.raw", Format = "raw" };
        for (int i = 0; i < 20; i++)
        {
            container = new ImageSource { FileName = "a.raw", Format = "raw", Container = container };
        }

        ImageException e = Assert.Throws<ImageException>(() => new ChainOpener(_files).Open("a.raw", new ChainOptions { Format = "raw", Container = container }));
        Assert.Equal(ImageErrorKind.Limit, e.Kind);
    }

    [Fact]
    public void ABackingFileByOptionGoesBeforeTheHeaders()
    {
        _files["one.raw"] = Filled(1);
        _files["two.raw"] = Filled(2);
        CreateQcow2("top.qcow2", Size, "one.raw");
        ChainOpener opener = new(_files);
        using (LayeredDisk disk = opener.Open("top.qcow2", new ChainOptions { Backing = new ImageSource { FileName = "two.raw", Format = "raw" } }))
        {
            Assert.Equal(Filled(2), ReadAll(disk));
        }

        // Only a part of what the header names.
        ImageSource tail = new() { Options = new Dictionary<string, string> { ["offset"] = "1024" } };
        using (LayeredDisk disk = opener.Open("top.qcow2", new ChainOptions { Backing = tail }))
        {
            Assert.Equal(Size - 1024, disk.Layers[1].VirtualSize);
        }

        ImageException e = Assert.Throws<ImageException>(() => opener.Open("one.raw", new ChainOptions { Format = "raw", Backing = tail }));
        Assert.Equal("Driver doesn't support backing files", e.Message);
    }

    [Fact]
    public void ANameThatOnlyTheCallerCanReadIsReadByIt()
    {
        _files["one.raw"] = Filled(1);
        CreateQcow2("top.qcow2", Size, "json:strange");
        ChainOptions options = new()
        {
            ReadName = static (name, format) => name == "json:strange" ? new ImageSource { FileName = "one.raw", Format = format } : null,
        };
        using LayeredDisk disk = new ChainOpener(_files).Open("top.qcow2", options);
        Assert.Equal(Filled(1), ReadAll(disk));
        Assert.Throws<ImageException>(() => new ChainOpener(_files).Open("top.qcow2", ChainOptions.ReadOnly));
    }

    private static byte[] Filled(byte value) => [.. Enumerable.Repeat(value, Size)];

    private static ImageSource Container(string outer) => outer == "raw"
        ? new ImageSource { FileName = "outer", Format = "raw", Options = new Dictionary<string, string> { ["offset"] = $"{Start}" } }
        : new ImageSource { FileName = "outer", Format = "qcow2" };

    private void CreateOuter(string format, byte[] inner)
    {
        if (format == "raw")
        {
            _files["outer"] = [.. new byte[Start], .. inner];
            return;
        }

        CreateQcow2("outer", (inner.Length + 511) & -512);
        using LayeredDisk disk = new ChainOpener(_files).Open("outer", new ChainOptions { Mode = OpenMode.ReadWrite });
        disk.Write(0, inner);
    }

    private void CreateQcow2(string name, long size, string? backing = null)
    {
        Dictionary<string, string> options = new() { ["cluster_size"] = "1024" };
        if (backing is not null)
        {
            (options["backing_file"], options["backing_fmt"]) = (backing, "raw");
        }

        new Qcow2Format().Create(new CreateRequest { FileName = name, Locator = _files, VirtualSize = size, Options = options });
    }

    private LayeredDisk Open(ImageSource container, bool write) => new ChainOpener(_files).Open("outer", new ChainOptions
    {
        Format = "qcow2",
        Mode = write ? OpenMode.ReadWrite : OpenMode.ReadOnly,
        Container = container,
    });

    private static byte[] ReadAll(LayeredDisk disk)
    {
        byte[] bytes = new byte[disk.VirtualSize];
        disk.Read(0, bytes);
        return bytes;
    }
}
