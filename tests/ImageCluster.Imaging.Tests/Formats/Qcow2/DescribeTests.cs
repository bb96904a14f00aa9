using System.Text.Json;
using ImageCluster.Imaging.Extents;
using ImageCluster.Imaging.Formats;
using ImageCluster.Imaging.Formats.Capabilities;
using ImageCluster.Imaging.Formats.Qcow2;
using ImageCluster.Imaging.Storage;
using ImageCluster.Testing.Qemu;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Imaging.Tests.Formats.Qcow2;

/// <summary>The format-specific part of info has qemu-img's fields, values and order.</summary>
public sealed class DescribeTests : IDisposable
{
    private readonly TempDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [SkippableTheory]
    [InlineData("")]
    [InlineData("compat=0.10")]
    [InlineData("lazy_refcounts=on,refcount_bits=1,cluster_size=512")]
    [InlineData("extended_l2=on,compression_type=zstd")]
    [InlineData("data_file=DATA")]
    [InlineData("data_file=DATA,data_file_raw=on")]
    [InlineData("", "one", "two", "three")]
    [InlineData("data_file=DATA", "one")]
    public void FieldsAreQemus(string options, params string[] bitmaps)
    {
        QemuTools.Require();
        string image = _directory["a.qcow2"];
        string[] given = options.Length == 0 ? [] : ["-o", options.Replace("DATA", _directory["data.raw"])];
        QemuTools.Img(["create", "-q", "-f", "qcow2", .. given, image, "3M"]);
        foreach (string bitmap in bitmaps)
        {
            QemuTools.Img("bitmap", "--add", "-g", "32k", image, bitmap);
            if (bitmap == "two")
            {
                QemuTools.Img("bitmap", "--disable", image, bitmap);
            }
        }

        AssertSame(image);
    }

    [SkippableTheory]
    [InlineData("")]
    [InlineData("data_file=DATA")]
    public void TheSizeOnTheDiskIsThatOfTheImagesOwnFile(string options)
    {
        QemuTools.Require();
        string image = _directory["a.qcow2"];
        QemuTools.Img(["create", "-q", "-f", "qcow2", .. options.Length == 0 ? Array.Empty<string>() : ["-o", options.Replace("DATA", _directory["data.raw"])], image, "3M"]);
        QemuTools.Io(image, "qcow2", "write -P 1 0 2M");
        using IImageLayer layer = Qcow2TestImages.Open(image);
        JsonElement theirs = JsonDocument.Parse(QemuTools.Img("info", "--output=json", image)).RootElement;
        Assert.Equal(theirs.GetProperty("actual-size").GetInt64(), ((IImageStatus)layer).AllocatedBytes);
    }

    [SkippableFact]
    public void CorruptAndInUseAreShown()
    {
        QemuTools.Require();
        string image = _directory["a.qcow2"];
        QemuTools.Img("create", "-q", "-f", "qcow2", image, "3M");
        QemuTools.Img("bitmap", "--add", image, "one");
        byte[] bytes = File.ReadAllBytes(image);
        bytes[79] |= 2;
        File.WriteAllBytes(image, bytes);
        AssertSame(image);
    }

    [SkippableTheory]
    [InlineData("luks")]
    [InlineData("aes")]
    public void EncryptedImagesAreDescribedAndTheirDataRefused(string format)
    {
        QemuTools.Require();
        string image = _directory["a.qcow2"];
        string[] options = [$"encrypt.format={format}", "encrypt.key-secret=s", .. format == "luks" ? ["encrypt.iter-time=10"] : Array.Empty<string>()];
        Luks.LuksTestImages.Img("create", "-q", "-f", "qcow2", "-o", string.Join(',', options), image, "3M");
        string source = $"driver=qcow2,file.filename={image},encrypt.key-secret=s";
        QemuTools.Img("convert", "-n", "--object", "secret,id=s,data=abc", "-f", "raw", "--target-image-opts", Zeros(), source, "-S", "0");
        using IImageLayer layer = Qcow2TestImages.Open(image, describeOnly: true);
        Assert.Contains(layer.DescribeSpecific()!.Fields, field => field.Key == "encrypt");
        Extent extent = layer.Map(0, 4096);
        Assert.Equal(ExtentKind.Data, extent.Kind);
        ImageException e = Assert.Throws<ImageException>(() => layer.Read(extent, new byte[4096]));
        Assert.Equal("Parameter 'encrypt.key-secret' is required for cipher", e.Message);
    }

    [Fact]
    public void AnImageWithoutItsDataFileIsDescribedAndNotRead()
    {
        MemoryLocator files = new();
        Qcow2Format format = new();
        format.Create(FillHelper.Request(files, "a", 1 << 20, false, "data_file=d,data_file_raw=on"));
        files.Delete("d");
        OpenContext context = new() { File = files.Open("a", OpenMode.ReadOnly), FileName = "a", Locator = files };
        Assert.Equal(ImageErrorKind.NotFound, Assert.Throws<ImageException>(() => format.Open(context)).Kind);
        using IImageLayer layer = format.Open(new OpenContext { File = files.Open("a", OpenMode.ReadOnly), FileName = "a", Locator = files, DescribeOnly = true });
        Assert.Contains(layer.DescribeSpecific()!.Fields, field => field is { Key: "data-file", Value: "d" });
        Assert.Equal(ImageErrorKind.NotFound, Assert.Throws<ImageException>(() => layer.Read(layer.Map(0, 512), new byte[512])).Kind);
    }

    private string Zeros()
    {
        File.WriteAllBytes(_directory["zeros.raw"], new byte[3 << 20]);
        return _directory["zeros.raw"];
    }

    private static void AssertSame(string image)
    {
        JsonElement theirs = JsonDocument.Parse(QemuTools.Img("info", "--output=json", image)).RootElement.GetProperty("format-specific");
        using IImageLayer layer = Qcow2TestImages.Open(image);
        FormatSpecificInfo info = layer.DescribeSpecific()!;
        Assert.Equal(theirs.GetProperty("type").GetString(), info.Type);
        Assert.Equal(Text(theirs.GetProperty("data")), Text(info));
    }

    private static string Text(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object => "{" + string.Join(", ", value.EnumerateObject().Select(p => $"{p.Name}={Text(p.Value)}")) + "}",
        JsonValueKind.Array => "[" + string.Join(", ", value.EnumerateArray().Select(Text)) + "]",
        _ => value.ToString().ToLowerInvariant(),
    };

    private static string Text(object value) => value switch
    {
        FormatSpecificInfo info => "{" + string.Join(", ", info.Fields.Select(p => $"{p.Key}={Text(p.Value)}")) + "}",
        System.Collections.IEnumerable list and not string => "[" + string.Join(", ", list.Cast<object>().Select(Text)) + "]",
        _ => value.ToString()!.ToLowerInvariant(),
    };
}
