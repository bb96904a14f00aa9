using System.Text.Json;
using ImageCluster.Imaging.Formats;
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
