using System.Text.Json;
using ImageCluster.Imaging.Storage;
using ImageCluster.Testing.Qemu;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Imaging.Tests.Storage;

public sealed class ImagePathTests
{
    [Theory]
    [InlineData("a.img", null)]
    [InlineData("/a/b:c", null)]
    [InlineData("./b:c", null)]
    [InlineData("b:c", "b")]
    [InlineData("nbd://host/x", "nbd")]
    [InlineData("json:{}", "json")]
    [InlineData(":", "")]
    [InlineData("", null)]
    public void FindsTheProtocol(string name, string? protocol) => Assert.Equal(protocol, ImagePath.ProtocolOf(name));

    [Theory]
    [InlineData("file:a:b", "a:b")]
    [InlineData("host_device:/dev/sda", "/dev/sda")]
    [InlineData("/x", "/x")]
    [InlineData("nbd:x", null)]
    public void StripsTheLocalOnes(string name, string? path) => Assert.Equal(path, ImagePath.ToLocal(name));

    [Theory]
    [InlineData("a.qcow2", "b", "b")]
    [InlineData("sub/a.qcow2", "b", "sub/b")]
    [InlineData("sub/a.qcow2", "../b", "sub/../b")]
    [InlineData("sub/a.qcow2", "./b/c", "sub/./b/c")]
    [InlineData("./a.qcow2", "/x/y", "/x/y")]
    [InlineData("file:sub/a.qcow2", "b", "sub/b")]
    [InlineData("file:a.qcow2", "b", "b")]
    [InlineData("file:x:y", "b", "./b")]
    [InlineData("a.qcow2", "file:b", "file:b")]
    [InlineData("sub/a.qcow2", "nbd://localhost/x", "nbd://localhost/x")]
    [InlineData("sub/../sub/a.qcow2", "b:c/d", "b:c/d")]
    [InlineData("sub/a.qcow2", "dir/b:c", "sub/dir/b:c")]
    public void Combines(string referrer, string reference, string combined) => Assert.Equal(combined, ImagePath.Combine(referrer, reference));

    [SkippableTheory]
    [InlineData("a.qcow2", "b")]
    [InlineData("sub/a.qcow2", "../b")]
    [InlineData("sub/a.qcow2", "dir/b:c")]
    [InlineData("sub//a.qcow2", "b")]
    [InlineData("a.qcow2", "/x/y")]
    [InlineData("sub/a.qcow2", "nbd://localhost/x")]
    public void QemuImgAgrees(string referrer, string reference)
    {
        QemuTools.Require();
        using TempDirectory directory = new();
        Directory.CreateDirectory(directory["sub"]);
        string image = directory.Path + "/" + referrer;
        QemuTools.Img("create", "-q", "-u", "-f", "qcow2", "-b", reference, "-F", "raw", image, "1M");

        using JsonDocument info = JsonDocument.Parse(QemuTools.Img("info", "--output=json", image));
        Assert.Equal(info.RootElement.GetProperty("full-backing-filename").GetString(), ImagePath.Combine(image, reference));
    }

    [Theory]
    [InlineData("json:{}")]
    [InlineData("")]
    public void ANameWithoutADirectoryHasNoRelatives(string referrer) =>
        Assert.Throws<ImageException>(() => ImagePath.Combine(referrer, "b"));
}
