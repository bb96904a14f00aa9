using ImageCluster.Jobs.Manifests;

namespace ImageCluster.Jobs.Tests.Manifests;

public class TargetPatternTests
{
    [Theory]
    [InlineData("{name}", "disk.0")]
    [InlineData("{ext}", "vmdk")]
    [InlineData("{file}", "disk.0.vmdk")]
    [InlineData("{path}", "prod/db")]
    [InlineData("{root}", "vmware")]
    [InlineData("{format}", "qcow2")]
    [InlineData("{path}/{name}.{format}", "prod/db/disk.0.qcow2")]
    [InlineData("{{{name}}}-x", "{disk.0}-x")]
    public void Tokens_stand_for_what_the_manual_says(string pattern, string path) =>
        Assert.Equal(path, Expand(pattern, new ImageName("vmware", "prod/db/disk.0.vmdk")));

    [Theory]
    [InlineData("{path}/{name}.{format}", "disk.qcow2")]
    [InlineData("x/{path}/{name}", "x/disk")]
    [InlineData("{name}-{ext}", "disk-img")]
    [InlineData("{path}{name}", "disk")]
    public void An_empty_path_takes_its_slash_along(string pattern, string path) =>
        Assert.Equal(path, Expand(pattern, new ImageName("/mnt/vm/", "disk.img")));

    [Theory]
    [InlineData("/mnt/vm/", "vm")]
    [InlineData("./images", "images")]
    [InlineData("vmware", "vmware")]
    public void The_root_of_a_directory_is_its_last_part(string root, string expected) =>
        Assert.Equal(expected, Expand("{root}", new ImageName(root, "disk.img")));

    [Theory]
    [InlineData(".disk", ".disk", "")]
    [InlineData("disk", "disk", "")]
    [InlineData("a.b/disk", "disk", "")]
    [InlineData("disk.", "disk", "")]
    public void Names_without_extension(string path, string name, string extension)
    {
        Assert.Equal(name, Expand("{name}", new ImageName("r", path)));
        Assert.Equal(extension, Expand("{ext}", new ImageName("r", path)));
    }

    private static string Expand(string pattern, ImageName source)
    {
        Assert.True(TargetPattern.TryParse(pattern, out TargetPattern? parsed, out string problem), problem);
        return parsed!.Expand(source, "qcow2");
    }
}
