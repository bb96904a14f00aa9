using ImageCluster.Jobs;
using ImageCluster.Work.Roots;

namespace ImageCluster.Work.Tests.Roots;

public sealed class RemoteRootTests
{
    [Theory]
    [InlineData("nbd://host", "vm.img")]
    [InlineData("nbd+unix://?socket=/run/nbd.sock", "a b/vm#1.img")]
    [InlineData("https://host/images/", "west/a b%20.qcow2")]
    [InlineData("https://host/images?version=3", "any0path/vm.qcow2")]
    [InlineData("s3://bucket/images", "west/vm 1.raw")]
    public void WhatLiesOnAServerHasOneName(string root, string path)
    {
        var roots = new RootMap(new Dictionary<string, string> { ["other"] = "/other", ["server"] = root });
        var image = new ImageName("server", path);
        Assert.Equal(image, roots.NameOf(roots.PathOf(image)));
    }

    [Theory]
    [InlineData("https://host/images2/vm.qcow2")]
    [InlineData("https://other/images/vm.qcow2")]
    [InlineData("https://host/images/")]
    [InlineData("nbd://host/vm.qcow2")]
    public void WhatLiesElsewhereHasNone(string address) =>
        Assert.Null(new RootMap(new Dictionary<string, string> { ["server"] = "https://host/images" }).NameOf(address));

    [Fact]
    public void TheInnermostRootCounts()
    {
        var roots = new RootMap(new Dictionary<string, string> { ["all"] = "https://host", ["west"] = "https://host/west" });
        Assert.Equal(new ImageName("west", "vm.qcow2"), roots.NameOf(roots.PathOf(new ImageName("all", "west/vm.qcow2"))));
    }
}
