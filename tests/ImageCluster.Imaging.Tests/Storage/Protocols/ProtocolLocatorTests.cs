using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Formats;
using ImageCluster.Imaging.Formats.Qcow2;
using ImageCluster.Imaging.Storage;
using ImageCluster.Imaging.Storage.Protocols;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Imaging.Tests.Storage.Protocols;

public sealed class ProtocolLocatorTests
{
    private readonly MemoryLocator _files = new() { ["disk"] = [1] };
    private readonly MemoryLocator _remote = new() { ["disk"] = [2], ["/small"] = new byte[1024] };
    private readonly ProtocolLocator _locator;

    public ProtocolLocatorTests() => _locator = new ProtocolLocator(_files, new FakeProtocol(_remote));

    [Theory]
    [InlineData("disk", 1)]
    [InlineData("file:disk", 1)]
    [InlineData("./fake:disk", 3)]
    [InlineData("fake:disk", 2)]
    [InlineData("fake+other:/disk", 2)]
    public void TheNameTellsWhoOpensIt(string name, byte first)
    {
        _files["./fake:disk"] = [3];
        using IBlockFile file = _locator.Open(name, OpenMode.ReadOnly);
        byte[] buffer = new byte[1];
        Assert.Equal(1, file.Read(0, buffer));
        Assert.Equal(first, buffer[0]);
        Assert.True(_locator.Exists(name));
        Assert.True(_locator.Knows(name));
    }

    [Fact]
    public void AnUnknownProtocolIsNamed()
    {
        Assert.False(_locator.Knows("gopher://host/x"));
        Assert.Equal("Unknown protocol 'gopher'",
            Assert.Throws<ImageException>(() => _locator.Open("gopher://host/x", OpenMode.ReadOnly)).Message);
    }

    [Fact]
    public void WhatCannotCreateTakesAnExistingImageThatIsLargeEnough()
    {
        _remote["/small"] = [.. Enumerable.Repeat((byte)0xEE, 1024)];
        using (IBlockFile file = _locator.Create("fake:/small", 1024, OpenMode.ReadWrite))
        {
            Assert.Equal(1024, file.Length);
        }

        Assert.All(_remote["/small"][..512], b => Assert.Equal(0, b));
        Assert.All(_remote["/small"][512..], b => Assert.Equal(0xEE, b));
    }

    [Fact]
    public void CreatingOverWhatIsNotThereSaysWhy() => Assert.Equal(
        "Protocol driver 'fake' does not support image creation, and opening the image failed: Could not open '/missing': No such file or directory",
        Assert.Throws<ImageException>(() => _locator.Create("fake:/missing", 1024, OpenMode.ReadWrite)).Message);

    [Fact]
    public void AnImageMayNameProtocolsOnlyWhereThePolicySaysSo()
    {
        _remote["base"] = new byte[512];
        Create("top.qcow2", "fake:base");
        ChainOpener opener = new(_locator);
        ImageException e = Assert.Throws<ImageException>(() => opener.Open("top.qcow2", ChainOptions.ReadOnly));
        Assert.Equal(ImageErrorKind.Policy, e.Kind);
        Assert.Throws<ImageException>(() => opener.Open("top.qcow2", new ChainOptions { References = ProtocolPolicy.Of("nbd") }));

        opener.Open("top.qcow2", new ChainOptions { References = ProtocolPolicy.Of("fake") }).Dispose();
        opener.Open("top.qcow2", new ChainOptions { References = ProtocolPolicy.All }).Dispose();
    }

    [Fact]
    public void TheTopImageIsTheUsersToName()
    {
        using LayeredDisk disk = new ChainOpener(_locator).Open("fake:small", ChainOptions.ReadOnly);
        Assert.Equal(1024, disk.VirtualSize);
    }

    [Fact]
    public void AnImageNamesItsDataFileByAPathWhateverThePolicy()
    {
        _remote["data"] = new byte[1 << 20];
        new Qcow2Format().Create(new CreateRequest
        {
            FileName = "external.qcow2",
            Locator = _locator,
            VirtualSize = 1 << 20,
            Options = new Dictionary<string, string> { ["data_file"] = "fake:data", ["size"] = "1048576" },
        });
        ChainOpener opener = new(_locator);
        foreach (ChainOptions options in new[] { ChainOptions.ReadOnly, new ChainOptions { References = ProtocolPolicy.All } })
        {
            ImageException e = Assert.Throws<ImageException>(() => opener.Open("external.qcow2", options));
            Assert.Equal(ImageErrorKind.NotFound, e.Kind);
        }

        // Who opens the image may say otherwise.
        opener.Open("external.qcow2", new ChainOptions { References = ProtocolPolicy.All, Options = new Dictionary<string, string> { ["data-file.filename"] = "fake:data" } }).Dispose();
    }

    private void Create(string name, string backing) => new Qcow2Format().Create(new CreateRequest
    {
        FileName = name,
        Locator = _locator,
        VirtualSize = 512,
        Options = new Dictionary<string, string> { ["backing_file"] = backing, ["backing_fmt"] = "raw", ["size"] = "512" },
    });

    private sealed class FakeProtocol(MemoryLocator remote) : StorageProtocol
    {
        public override IReadOnlyList<string> Schemes => ["fake", "fake+other"];

        public override string DriverOf(string scheme) => "fake";

        public override bool CanWrite => true;

        public override IBlockFile Open(string name, OpenMode mode, IFileLocator files) => remote.Open(name[(name.IndexOf(':') + 1)..], mode);

        public override string Canonical(string name, IFileLocator files) => "fake:" + remote.Canonical(name[(name.IndexOf(':') + 1)..]);
    }
}
