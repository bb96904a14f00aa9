using System.Diagnostics;
using System.Runtime.InteropServices;
using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Storage;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Imaging.Tests.Chains;

public sealed partial class ConfinedLocatorTests : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly TempDirectory _directory = new();
    private readonly ConfinedLocator _locator;

    public ConfinedLocatorTests()
    {
        // A root whose name starts another directory's name, and that is reached through a link.
        Directory.CreateDirectory(_directory["real/images/sub"]);
        Directory.CreateDirectory(_directory["real/images-secret"]);
        File.WriteAllBytes(_directory["real/images/in"], [1]);
        File.WriteAllBytes(_directory["real/images-secret/out"], [2]);
        Directory.CreateSymbolicLink(_directory["images"], "real/images");
        _locator = new ConfinedLocator(new LocalFileLocator(), _directory["images"]);
    }

    public void Dispose() => _directory.Dispose();

    private string Root => _directory["real/images"];

    private string Outside => _directory["real/images-secret/out"];

    [Fact]
    public void TheRootIsCanonical() => Assert.Equal([new LocalFileLocator().Canonical(Root)], _locator.Roots);

    [Theory]
    [InlineData("in")]
    [InlineData("./in")]
    [InlineData("sub/../in")]
    [InlineData("../images/in")]
    [InlineData("link-in")]
    [InlineData("absolute-link-in")]
    [InlineData("link-to-sub/../in")]
    public void WhatLiesInTheRootOpens(string name)
    {
        File.CreateSymbolicLink(Path.Join(Root, "link-in"), "sub/../in");
        File.CreateSymbolicLink(Path.Join(Root, "absolute-link-in"), _directory["images/in"]);
        Directory.CreateSymbolicLink(Path.Join(Root, "link-to-sub"), "sub");
        foreach (string root in new[] { Root, _directory["images"], "file:" + Root })
        {
            string full = root + "/" + name;
            using IBlockFile file = _locator.Open(full, OpenMode.ReadOnly);
            Assert.Equal(full, file.Name);
            Assert.Equal(1, file.Length);
            Assert.True(_locator.Exists(full));
        }
    }

    [Theory]
    [InlineData("../images-secret/out")]
    [InlineData("sub/../../images-secret/out")]
    [InlineData("link-out")]
    [InlineData("link-to-link-out")]
    [InlineData("absolute-link-out")]
    [InlineData("directory-out/out")]
    [InlineData("sub/../directory-out/../images-secret/out")]
    [InlineData("missing/../../images-secret/out")]
    public void WhatLeavesTheRootIsRefused(string name)
    {
        MakeLinksOut();
        string full = Path.Join(Root, name);
        foreach (Action use in new Action[]
        {
            () => _locator.Open(full, OpenMode.ReadOnly),
            () => _locator.Open(full, OpenMode.ReadWrite),
            () => _locator.Create(full, 0, OpenMode.ReadWrite),
            () => _locator.Exists(full),
            () => _locator.Canonical(full),
            () => _locator.Delete(full),

            // The same without the first look: the opening itself refuses.
            () => new LocalFileLocator().Open(full, OpenMode.ReadOnly with { Within = new AllowedRoots(_locator.Roots) }),
            () => new LocalFileLocator().Create(full, 0, OpenMode.ReadWrite with { Within = new AllowedRoots(_locator.Roots) }),
        })
        {
            ImageException refused = Assert.Throws<ImageException>(use);
            Assert.Equal(ImageErrorKind.Policy, refused.Kind);
            Assert.Equal(full, refused.File);
            Assert.Contains(full, refused.Message, StringComparison.Ordinal);
            Assert.Contains($"outside the allowed root '{_locator.Roots[0]}'", refused.Message, StringComparison.Ordinal);
            Assert.NotNull(refused.Hint);
        }

        Assert.Equal([2], File.ReadAllBytes(Outside));
    }

    [Fact]
    public void AnAbsolutePathIsRefused()
    {
        ImageException refused = Assert.Throws<ImageException>(() => _locator.Open("/etc/passwd", OpenMode.ReadOnly));
        Assert.Equal(ImageErrorKind.Policy, refused.Kind);
    }

    [Theory]
    [InlineData("nbd:localhost:10809")]
    [InlineData("nbd+unix:///x?socket=/run/x")]
    [InlineData("http://host/x")]
    [InlineData("json:{\"driver\":\"file\",\"filename\":\"/etc/passwd\"}")]
    [InlineData("fat:/etc")]
    public void AProtocolIsRefused(string name)
    {
        foreach (Action use in new Action[]
        {
            () => _locator.Open(name, OpenMode.ReadOnly),
            () => _locator.Create(name, 0, OpenMode.ReadWrite),
            () => _locator.Exists(name),
            () => _locator.Canonical(name),
        })
        {
            Assert.Equal(ImageErrorKind.Policy, Assert.Throws<ImageException>(use).Kind);
        }
    }

    [Fact]
    public void CreatingInTheRootWorks()
    {
        string name = Path.Join(Root, "sub", "new");
        _locator.Create(name, 10, OpenMode.ReadWrite, mustBeNew: true).Dispose();
        Assert.Equal(10, new FileInfo(name).Length);
        ImageException there = Assert.Throws<ImageException>(() => _locator.Create(name, 10, OpenMode.ReadWrite, mustBeNew: true));
        Assert.Equal(ImageErrorKind.Exists, there.Kind);
        _locator.Delete(name);
        Assert.False(File.Exists(name));
        ImageException missing = Assert.Throws<ImageException>(() => _locator.Open(name, OpenMode.ReadOnly));
        Assert.Equal($"Could not open '{name}': No such file or directory", missing.Message);
        missing = Assert.Throws<ImageException>(() => _locator.Create(Path.Join(Root, "no", "new"), 0, OpenMode.ReadWrite));
        Assert.Equal(ImageErrorKind.NotFound, missing.Kind);
    }

    [Fact]
    public void ALinkIntoNothingCreatesNothingOutside()
    {
        File.CreateSymbolicLink(Path.Join(Root, "dangling"), "../images-secret/new");
        ImageException refused = Assert.Throws<ImageException>(() => _locator.Create(Path.Join(Root, "dangling"), 0, OpenMode.ReadWrite));
        Assert.Equal(ImageErrorKind.Policy, refused.Kind);
        Assert.False(File.Exists(_directory["real/images-secret/new"]));
    }

    [Fact]
    public void LinksInACircleEnd()
    {
        File.CreateSymbolicLink(Path.Join(Root, "a"), "b");
        File.CreateSymbolicLink(Path.Join(Root, "b"), "a");
        ImageException refused = Assert.Throws<ImageException>(() => _locator.Open(Path.Join(Root, "a"), OpenMode.ReadOnly));
        Assert.Equal(ImageErrorKind.Io, refused.Kind);
        Assert.EndsWith("Too many levels of symbolic links", refused.Message, StringComparison.Ordinal);
    }

    [SkippableFact]
    public void ALinkSwappedAtTheLastMomentGainsNothing()
    {
        Skip.IfNot(OperatingSystem.IsLinux(), "the check of the opened file: not Linux");

        // "door" is by turns a harmless directory and a link to the secret one, exchanged in one step.
        string door = Path.Join(Root, "door");
        Directory.CreateDirectory(door);
        File.WriteAllBytes(Path.Join(door, "out"), [1]);
        Directory.CreateSymbolicLink(door + ".other", "../images-secret");
        using CancellationTokenSource done = new();
        Thread attacker = new(() =>
        {
            while (!done.IsCancellationRequested)
            {
                Exchange(door, door + ".other");
            }
        });
        attacker.Start();
        (int opened, int refused) = (0, 0);
        try
        {
            // On a busy machine the attacker may have to wait for its first turn.
            Stopwatch waited = Stopwatch.StartNew();
            for (int i = 0; i < 2000 || ((opened == 0 || refused == 0) && waited.Elapsed < Patience); i++)
            {
                try
                {
                    using IBlockFile file = i % 2 == 0
                        ? _locator.Open(Path.Join(door, "out"), OpenMode.ReadOnly with { Lock = ImageLock.None })
                        : _locator.Create(Path.Join(door, "new"), 0, OpenMode.ReadWrite with { Lock = ImageLock.None });
                    byte[] content = new byte[1];
                    file.Read(0, content);
                    Assert.NotEqual(2, content[0]);
                    opened++;
                }
                catch (ImageException e) when (e.Kind is ImageErrorKind.Policy or ImageErrorKind.NotFound)
                {
                    refused++;
                }
            }
        }
        finally
        {
            done.Cancel();
            attacker.Join();
        }

        Assert.False(File.Exists(_directory["real/images-secret/new"]), "created outside the root");
        Assert.True(opened > 0 && refused > 0, $"the doors never moved: {opened} opened, {refused} refused");
    }

    [Fact]
    public void ConfinesAnyStorage()
    {
        MemoryLocator memory = new() { ["images/in"] = [1], ["images2/out"] = [2] };
        ConfinedLocator locator = new(memory, "images", "more");

        locator.Open("images/in", OpenMode.ReadOnly).Dispose();
        ImageException refused = Assert.Throws<ImageException>(() => locator.Open("images/../images2/out", OpenMode.ReadOnly));
        Assert.Contains("outside the allowed roots '/images', '/more'", refused.Message, StringComparison.Ordinal);
        Assert.Equal("images/base", locator.Combine("images/in", "base"));
    }

    private static void Exchange(string one, string other)
    {
        const int CurrentDirectory = -100;
        const uint RenameExchange = 2;
        RenameAt2(CurrentDirectory, one, CurrentDirectory, other, RenameExchange);
    }

    [LibraryImport("libc", EntryPoint = "renameat2", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int RenameAt2(int oldDirectory, string oldName, int newDirectory, string newName, uint flags);

    private void MakeLinksOut()
    {
        File.CreateSymbolicLink(Path.Join(Root, "link-out"), "../images-secret/out");
        File.CreateSymbolicLink(Path.Join(Root, "link-to-link-out"), "link-out");
        File.CreateSymbolicLink(Path.Join(Root, "absolute-link-out"), Outside);
        Directory.CreateSymbolicLink(Path.Join(Root, "directory-out"), "../images-secret");
    }
}
