using System.Runtime.InteropServices;
using ImageCluster.Imaging.Storage;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Imaging.Tests.Storage;

public sealed partial class LocalFileTests : IDisposable
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
    public void WhatIsSentEarlyIsThere()
    {
        // More than is sent at once, several times, and by several threads.
        const int length = 1 << 20, count = 100;
        using (IBlockFile file = _locator.Create(_directory["a"], 0, OpenMode.ReadWrite with { SendsEarly = true }))
        {
            Parallel.For(0, count, new ParallelOptions { MaxDegreeOfParallelism = 4 }, i =>
            {
                byte[] data = new byte[length];
                data.AsSpan().Fill((byte)(i + 1));
                file.Write((long)i * length, data);
            });
            file.Flush();
        }

        using IBlockFile read = _locator.Open(_directory["a"], OpenMode.ReadOnly);
        Assert.Equal((long)count * length, read.Length);
        byte[] buffer = new byte[length];
        for (int i = 0; i < count; i++)
        {
            Assert.Equal(length, read.Read((long)i * length, buffer));
            Assert.True(buffer.AsSpan().IndexOfAnyExcept((byte)(i + 1)) < 0, $"block {i}");
        }
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
    public void WhatIsNoRegularFileIsNotDeleted()
    {
        string pipe = _directory["pipe"];
        Assert.Equal(0, MakePipe(pipe, 0x1a4));
        File.CreateSymbolicLink(_directory["to-pipe"], pipe);
        File.WriteAllBytes(_directory["file"], [1]);
        File.CreateSymbolicLink(_directory["to-file"], _directory["file"]);
        File.CreateSymbolicLink(_directory["to-nothing"], _directory["nothing"]);

        Assert.Throws<ImageException>(() => _locator.Delete(pipe));
        Assert.Throws<ImageException>(() => _locator.Delete(_directory["to-pipe"]));
        Assert.Throws<ImageException>(() => _locator.Delete(_directory.Path));
        Assert.Equal(["file", "pipe", "to-file", "to-nothing", "to-pipe"], Entries());

        _locator.Delete(_directory["to-file"]);
        _locator.Delete(_directory["to-nothing"]);
        _locator.Delete(_directory["nothing"]);
        _locator.Delete(_directory["no/such/directory"]);
        Assert.Equal(["file", "pipe", "to-pipe"], Entries());
        _locator.Delete(_directory["file"]);
        Assert.Equal(["pipe", "to-pipe"], Entries());

        IEnumerable<string?> Entries() => Directory.EnumerateFileSystemEntries(_directory.Path).Select(Path.GetFileName).Order(StringComparer.Ordinal);
    }

    [LibraryImport("libc", EntryPoint = "mkfifo", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int MakePipe(string path, int mode);

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
