using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Formats;
using ImageCluster.Imaging.Storage;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Imaging.Tests.Chains;

public sealed class ChainOpenerTests
{
    private const long Size = 1 << 20;
    private readonly MemoryLocator _files = new();

    [Fact]
    public void AChainIsOpenedTopFirst()
    {
        Create("base.qcow2");
        Create("dir/middle.qcow2", "../base.qcow2", "qcow2");
        Create("top.qcow2", "dir/middle.qcow2", "qcow2");
        using LayeredDisk disk = Open("top.qcow2");
        Assert.Equal(["top.qcow2", "dir/middle.qcow2", "dir/../base.qcow2"], disk.Layers.Select(l => l.FileName));
    }

    [Fact]
    public void WithoutFollowingOnlyTheTopIsOpened()
    {
        Create("top.qcow2", "not-there.qcow2", "qcow2");
        using LayeredDisk disk = Open("top.qcow2", new ChainOptions { FollowBacking = false });
        Assert.Single(disk.Layers);
        Assert.Equal("not-there.qcow2", disk.Top.Backing!.Name);
    }

    [Fact]
    public void AMissingBackingFileIsNamed()
    {
        Create("top.qcow2", "not-there.qcow2", "qcow2");
        ImageException e = Assert.Throws<ImageException>(() => Open("top.qcow2"));
        Assert.Equal(ImageErrorKind.NotFound, e.Kind);
        Assert.Equal("Could not open backing file: Could not open 'not-there.qcow2': No such file or directory", e.Message);
    }

    [Theory]
    [InlineData("a.qcow2", "a.qcow2")]
    [InlineData("b.qcow2", "a.qcow2")]
    public void ALoopIsRefused(string backingOfA, string backingOfB)
    {
        Create("a.qcow2", backingOfA, "qcow2");
        Create("b.qcow2", "./" + backingOfB, "qcow2");
        ImageException e = Assert.Throws<ImageException>(() => Open("a.qcow2"));
        Assert.Equal(ImageErrorKind.Policy, e.Kind);
        Assert.Contains("infinite loop", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AThousandDeepIsRefusedAtTheLimit()
    {
        Create("0.qcow2");
        for (int i = 1; i <= 1000; i++)
        {
            Create($"{i}.qcow2", $"{i - 1}.qcow2", "qcow2");
        }

        ImageException e = Assert.Throws<ImageException>(() => Open("1000.qcow2"));
        Assert.Equal(ImageErrorKind.Limit, e.Kind);
        Assert.Contains("deeper than 256", e.Message, StringComparison.Ordinal);
        using LayeredDisk disk = Open("255.qcow2");
        Assert.Equal(256, disk.Layers.Count);
    }

    [Fact]
    public void AnUnstatedFormatIsProbedOnlyWherePolicyAllows()
    {
        Create("base.qcow2");
        Create("top.qcow2", "base.qcow2", null);
        using (LayeredDisk disk = Open("top.qcow2"))
        {
            Assert.Equal("qcow2", disk.Layers[1].FormatName);
        }

        ImageException e = Assert.Throws<ImageException>(() => Open("top.qcow2", new ChainOptions { AllowProbedBacking = false }));
        Assert.Equal(ImageErrorKind.Policy, e.Kind);
        Assert.NotNull(e.Hint);
    }

    [Fact]
    public void AStatedRawBackingFileIsNeverProbed()
    {
        // The guest wrote a qcow2 header into its raw disk, naming a file of the host.
        _files["secret"] = new byte[512];
        Create("inner.qcow2", "secret", "raw");
        _files["guest.raw"] = _files["inner.qcow2"];
        Create("top.qcow2", "guest.raw", "raw");
        using LayeredDisk disk = Open("top.qcow2");
        Assert.Equal(["qcow2", "raw"], disk.Layers.Select(l => l.FormatName));
    }

    [Theory]
    [InlineData("../outside.qcow2")]
    [InlineData("/outside.qcow2")]
    [InlineData("nbd://127.0.0.1/x")]
    public void AConfinedChainStaysInItsRoots(string backing)
    {
        Create("/outside.qcow2");
        Create("/root/top.qcow2", backing, "qcow2");
        ChainOpener opener = new(new ConfinedLocator(_files, "/root"));
        ImageException e = Assert.Throws<ImageException>(() => opener.Open("/root/top.qcow2", ChainOptions.ReadOnly));
        Assert.Equal(ImageErrorKind.Policy, e.Kind);
    }

    [Fact]
    public void AnUnknownStatedFormatIsNamed()
    {
        Create("base.qcow2");
        ImageException e = Assert.Throws<ImageException>(() => Open("base.qcow2", new ChainOptions { Format = "nonsense" }));
        Assert.Equal("Unknown driver 'nonsense'", e.Message);
    }

    [Fact]
    public void AForeignFileIsRawWhenProbedAndRefusedWhenStated()
    {
        _files["text"] = "hello"u8.ToArray();
        using (LayeredDisk disk = Open("text"))
        {
            Assert.Equal("raw", disk.Top.FormatName);
            Assert.Equal(512, disk.VirtualSize);
        }

        ImageException e = Assert.Throws<ImageException>(() => Open("text", new ChainOptions { Format = "qcow2" }));
        Assert.Equal(ImageErrorKind.NotThisFormat, e.Kind);
    }

    private LayeredDisk Open(string name, ChainOptions? options = null) => new ChainOpener(_files).Open(name, options ?? ChainOptions.ReadOnly);

    private void Create(string name, string? backing = null, string? format = null)
    {
        Dictionary<string, string> options = new() { ["cluster_size"] = "4096" };
        if (backing is not null)
        {
            options["backing_file"] = backing;
        }

        if (format is not null)
        {
            options["backing_fmt"] = format;
        }

        FormatRegistry.Find("qcow2")!.Create(new CreateRequest { FileName = name, Locator = _files, VirtualSize = Size, Options = options, Mode = OpenMode.ReadWrite });
    }
}
