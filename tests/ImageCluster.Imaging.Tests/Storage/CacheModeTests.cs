using ImageCluster.Imaging.Storage;
using ImageCluster.Imaging.Storage.Direct;
using ImageCluster.Imaging.Storage.Native;
using ImageCluster.Testing.Storage;
using Microsoft.Win32.SafeHandles;

namespace ImageCluster.Imaging.Tests.Storage;

public sealed class CacheModeTests : IDisposable
{
    private const int ODirect = 0x4000;
    private const int ODSync = 0x1000;

    private readonly TempDirectory _directory = new();
    private readonly LocalFileLocator _locator = new();

    public void Dispose() => _directory.Dispose();

    [SkippableTheory]
    [InlineData(CacheMode.Writeback, 0)]
    [InlineData(CacheMode.Writethrough, ODSync)]
    [InlineData(CacheMode.None, ODirect)]
    [InlineData(CacheMode.DirectSync, ODirect | ODSync)]
    [InlineData(CacheMode.Unsafe, 0)]
    public void TheKernelKnows(CacheMode cache, int flags)
    {
        Skip.IfNot(OperatingSystem.IsLinux() && System.Runtime.InteropServices.RuntimeInformation.ProcessArchitecture ==
            System.Runtime.InteropServices.Architecture.X64, "open flags: not Linux on x86-64");
        using IBlockFile file = _locator.Create(_directory["a"], 0, OpenMode.ReadWrite with { Cache = cache });

        Assert.Equal(flags, FlagsOf(_directory["a"]) & (ODirect | ODSync));
    }

    [Fact]
    public void WritesAtOddOffsetsPastTheCache()
    {
        using IBlockFile file = _locator.Create(_directory["a"], 0, OpenMode.ReadWrite with { Cache = CacheMode.None });
        byte[] content = new byte[3_000_001];
        new Random(5).NextBytes(content);
        file.Write(0, content);
        Assert.Equal(content.Length, file.Length);

        file.Write(1_000_001, content.AsSpan(0, 5));
        content.AsSpan(0, 5).CopyTo(content.AsSpan(1_000_001));
        file.Write(2_999_999, [1, 2, 3, 4]);
        Array.Resize(ref content, 3_000_003);
        new byte[] { 1, 2, 3, 4 }.CopyTo(content, 2_999_999);

        Assert.Equal(content, File.ReadAllBytes(_directory["a"]));
        byte[] tail = new byte[100];
        Assert.Equal(3, file.Read(3_000_000, tail));
        Assert.Equal([2, 3, 4], tail[..3]);
        Assert.Equal(0, file.Read(3_000_003, tail));
    }

    [Fact]
    public void NeighboursInOneBlockDoNotLoseEachOther()
    {
        // Each thread owns every fourth run of 100 bytes; a block holds runs of all, and all write into it at once.
        const int Threads = 4;
        const int Run = 100;
        const int Runs = 1200;
        using IBlockFile file = _locator.Create(_directory["a"], 0, OpenMode.ReadWrite with { Cache = CacheMode.None });
        using Barrier together = new(Threads);
        Thread[] threads = [.. Enumerable.Range(0, Threads).Select(thread => new Thread(() =>
        {
            byte[] data = new byte[Run];
            data.AsSpan().Fill((byte)(thread + 1));
            for (int i = thread; i < Runs; i += Threads)
            {
                together.SignalAndWait();
                file.Write(i * Run, data);
            }
        }))];
        Array.ForEach(threads, thread => thread.Start());
        Array.ForEach(threads, thread => thread.Join());

        byte[] content = new byte[Run * Runs];
        Assert.Equal(content.Length, file.Read(0, content));
        Assert.Equal(content.Length, file.Length);
        Assert.All(Enumerable.Range(0, content.Length), i => Assert.Equal((i / Run % Threads) + 1, content[i]));
    }

    [SkippableFact]
    public void AFileSystemWithoutDirectIoIsNamed()
    {
        Skip.IfNot(File.Exists("/proc/version"), "O_DIRECT refused: there is no /proc");
        ImageException refused = Assert.Throws<ImageException>(
            () => _locator.Open("/proc/version", OpenMode.ReadOnly with { Cache = CacheMode.None }));

        Assert.Equal("Could not open '/proc/version': filesystem does not support O_DIRECT", refused.Message);
        Assert.Equal(ImageErrorKind.Unsupported, refused.Kind);
    }

    [SkippableFact]
    public void ProbingFindsWhatTheKernelTells()
    {
        Skip.IfNot(OperatingSystem.IsLinux(), "O_DIRECT: not Linux");
        File.WriteAllBytes(_directory["a"], new byte[8192]);
        OpenMode mode = OpenMode.ReadOnly with { Cache = CacheMode.None };
        using SafeFileHandle? handle = HostFile.TryOpenAt(null, _directory["a"], mode, create: false, mustBeNew: false, out _);
        Assert.NotNull(handle);
        Assert.Equal(0, HostFile.Status(handle, out FileStatus status));
        Skip.If(status.DirectAlignment is null, "O_DIRECT alignment: this kernel or file system does not tell");

        int? probed = DirectAlignment.Probe(handle, status.Type);
        Assert.Equal(status.DirectAlignment, probed);
    }

    [Theory]
    [InlineData(CacheMode.Writeback)]
    [InlineData(CacheMode.None)]
    public void ReadOnlyIsReadOnly(CacheMode cache)
    {
        File.WriteAllBytes(_directory["a"], new byte[1000]);
        using IBlockFile file = _locator.Open(_directory["a"], OpenMode.ReadOnly with { Cache = cache, NoAtime = true });

        Assert.False(file.CanWrite);
        Assert.False(file.CanResize);
        foreach (Action change in new Action[]
        {
            () => file.Write(0, [1]),
            () => file.SetLength(1),
            () => file.WriteZeroes(0, 1, ZeroMode.MayUnmap),
            () => file.Discard(0, 1),
            () => file.Allocate(0, 1),
        })
        {
            Assert.Equal(ImageErrorKind.Io, Assert.Throws<ImageException>(change).Kind);
        }

        file.Flush();
        Assert.Equal(1000, file.Length);
    }

    // What /proc says of the descriptor that is open on the path, of this process.
    private static int FlagsOf(string path)
    {
        string descriptor = Directory.EnumerateFiles("/proc/self/fd").Single(fd => new FileInfo(fd).LinkTarget == path);
        string line = File.ReadLines($"/proc/self/fdinfo/{Path.GetFileName(descriptor)}").Single(l => l.StartsWith("flags:", StringComparison.Ordinal));
        return Convert.ToInt32(line["flags:".Length..].Trim(), 8);
    }
}
