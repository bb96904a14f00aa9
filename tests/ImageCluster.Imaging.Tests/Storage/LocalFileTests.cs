using ImageCluster.Imaging.Storage;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Imaging.Tests.Storage;

public sealed class LocalFileTests : IDisposable
{
    private readonly TempDirectory _directory = new();
    private readonly LocalFileLocator _locator = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void WhatIsWrittenIsRead()
    {
        using IBlockFile file = _locator.Create(_directory["a"], 0, OpenMode.ReadWrite);
        file.Write(5, [1, 2, 3]);
        byte[] buffer = new byte[10];

        Assert.Equal(8, file.Read(0, buffer));
        Assert.Equal([0, 0, 0, 0, 0, 1, 2, 3, 0, 0], buffer);
        Assert.Equal(0, file.Read(8, buffer));
        Assert.Equal(0, file.Read(1L << 40, buffer));
        Assert.Equal(8, file.Length);
    }

    [Fact]
    public void CreateTruncatesUnlessItMustBeNew()
    {
        File.WriteAllBytes(_directory["a"], [1, 2, 3]);
        ImageException refused = Assert.Throws<ImageException>(() => _locator.Create(_directory["a"], 0, OpenMode.ReadWrite, mustBeNew: true));
        Assert.Equal(ImageErrorKind.Exists, refused.Kind);
        Assert.Equal(17, refused.Errno);
        Assert.Equal([1, 2, 3], File.ReadAllBytes(_directory["a"]));

        _locator.Create(_directory["a"], 4, OpenMode.ReadWrite).Dispose();
        Assert.Equal([0, 0, 0, 0], File.ReadAllBytes(_directory["a"]));
    }

    [Fact]
    public void AMissingFileIsNamedInQemusWords()
    {
        string path = _directory["missing"];
        ImageException missing = Assert.Throws<ImageException>(() => _locator.Open(path, OpenMode.ReadOnly));
        Assert.Equal(ImageErrorKind.NotFound, missing.Kind);
        Assert.Equal($"Could not open '{path}': No such file or directory", missing.Message);
        Assert.Equal(path, missing.File);
        Assert.Equal(2, missing.Errno);
    }

    [Fact]
    public void ADirectoryIsRefused()
    {
        string path = _directory.Path;
        ImageException refused = Assert.Throws<ImageException>(() => _locator.Open(path, OpenMode.ReadOnly));
        Assert.Equal($"'file' driver requires '{path}' to be a regular file", refused.Message);
        refused = Assert.Throws<ImageException>(() => _locator.Open(path, OpenMode.ReadWrite));
        Assert.Equal($"Could not open '{path}': Is a directory", refused.Message);
        refused = Assert.Throws<ImageException>(() => _locator.Create(path, 0, OpenMode.ReadWrite));
        Assert.Equal($"Could not create '{path}': Is a directory", refused.Message);
    }
}
