using System.Globalization;
using System.Runtime.InteropServices;
using ImageCluster.Imaging.Storage;
using ImageCluster.Testing.Qemu;
using ImageCluster.Testing.Storage;
using Microsoft.Win32.SafeHandles;

namespace ImageCluster.Imaging.Tests.Storage;

/// <summary>Our locks against QEMU's, both ways, with real processes.</summary>
public sealed partial class ImageLockTests : IDisposable
{
    private const string NoWrite = "Failed to get \"write\" lock";
    private const string NoSharedWrite = "Failed to get shared \"write\" lock";

    private static readonly OpenMode Forced = OpenMode.ReadOnly with { Lock = ImageLock.Shared };

    private readonly TempDirectory _directory = new();
    private readonly LocalFileLocator _locator = new();

    public void Dispose() => _directory.Dispose();

    private string Image => _directory["a.qcow2"];

    [SkippableTheory]
    [InlineData("qemu-io")]
    [InlineData("qemu-nbd")]
    [InlineData("qemu-storage-daemon")]
    public void OursIsRefusedWhileTheirsWrites(string program)
    {
        MakeImage();
        using QemuHolder holder = program switch
        {
            "qemu-io" => QemuHolder.Io(Image, "qcow2"),
            "qemu-nbd" => QemuHolder.Nbd(Image, "qcow2", _directory.Path),
            _ => QemuHolder.Daemon(Image, "qcow2", _directory.Path),
        };

        AssertRefused(NoSharedWrite, () => _locator.Open(Image, OpenMode.ReadOnly));
        AssertRefused(NoWrite, () => _locator.Open(Image, OpenMode.ReadWrite));
        byte[] before = File.ReadAllBytes(Image);
        AssertRefused(NoWrite, () => _locator.Create(Image, 0, OpenMode.ReadWrite));
        Assert.Equal(before, File.ReadAllBytes(Image));

        _locator.Open(Image, Forced).Dispose();
        _locator.Open(Image, OpenMode.ReadOnly with { Lock = ImageLock.None }).Dispose();
    }

    [SkippableFact]
    public void OursSaysWhatQemuImgSays()
    {
        MakeImage();
        using QemuHolder holder = QemuHolder.Io(Image, "qcow2");
        ToolResult read = QemuTools.TryImg("check", Image);
        ToolResult write = QemuTools.TryImg("check", "-r", "all", Image);
        ToolResult create = QemuTools.TryImg("create", "-f", "qcow2", Image, "1M");

        foreach ((ToolResult theirs, ImageException ours) in new[]
        {
            (read, AssertRefused(NoSharedWrite, () => _locator.Open(Image, OpenMode.ReadOnly))),
            (write, AssertRefused(NoWrite, () => _locator.Open(Image, OpenMode.ReadWrite))),
            (create, AssertRefused(NoWrite, () => _locator.Create(Image, 0, OpenMode.ReadWrite))),
        })
        {
            Assert.NotEqual(0, theirs.ExitCode);
            Assert.Contains(ours.Message, theirs.Error, StringComparison.Ordinal);
            Assert.Contains(ours.Hint!, theirs.Error, StringComparison.Ordinal);
        }
    }

    [SkippableFact]
    public void WritersThatShareLetEachOtherInAndNobodyElse()
    {
        MakeImage();
        OpenMode shared = OpenMode.ReadWrite with { Lock = ImageLock.SharedWrite };
        using (IBlockFile first = _locator.Open(Image, shared))
        {
            _locator.Open(Image, shared).Dispose();
            AssertRefused(NoSharedWrite, () => _locator.Open(Image, OpenMode.ReadOnly));
            AssertRefused(NoSharedWrite, () => _locator.Open(Image, OpenMode.ReadWrite));
            AssertRefused(NoSharedWrite, () => _locator.Open(Image, shared with { Write = false }));
            Assert.NotEqual(0, QemuTools.TryImg("check", Image).ExitCode);
            Assert.NotEqual(0, QemuTools.TryImg("resize", Image, "+1M").ExitCode);
        }

        foreach (string[] flags in (string[][])[[], ["-r"]])
        {
            using QemuHolder holder = QemuHolder.Io(Image, "qcow2", flags);
            AssertRefused(NoWrite, () => _locator.Open(Image, shared));
        }
    }

    [SkippableFact]
    public void OursWritesOnlyWhereNobodyReads()
    {
        MakeImage();
        using QemuHolder holder = QemuHolder.Io(Image, "qcow2", "-r");

        AssertRefused(NoWrite, () => _locator.Open(Image, OpenMode.ReadWrite));
        AssertRefused(NoWrite, () => _locator.Create(Image, 0, OpenMode.ReadWrite));
        _locator.Open(Image, OpenMode.ReadOnly).Dispose();
    }

    [SkippableFact]
    public void AForcedReaderOfTheirsIsNoHindrance()
    {
        MakeImage();
        using QemuHolder holder = QemuHolder.Io(Image, "qcow2", "-r", "-U");

        _locator.Open(Image, OpenMode.ReadWrite).Dispose();
    }

    [SkippableFact]
    public void TheirsIsRefusedWhileOursWrites()
    {
        MakeImage();
        using IBlockFile ours = _locator.Open(Image, OpenMode.ReadWrite);

        AssertFails(NoSharedWrite, "info", Image);
        AssertFails(NoSharedWrite, "check", Image);
        AssertFails(NoSharedWrite, "convert", "-O", "raw", Image, _directory["b"]);
        AssertFails(NoWrite, "check", "-r", "all", Image);
        AssertFails(NoWrite, "create", "-f", "qcow2", Image, "1M");
        AssertSucceeds("info", "-U", Image);
        AssertSucceeds("convert", "-U", "-O", "raw", Image, _directory["b"]);
        AssertFails(NoWrite, "convert", "-n", "-f", "raw", "-O", "qcow2", _directory["b"], Image);
    }

    [SkippableFact]
    public void TheirsReadsButDoesNotWriteWhileOursReads()
    {
        MakeImage();
        using IBlockFile ours = _locator.Open(Image, OpenMode.ReadOnly);

        AssertSucceeds("info", Image);
        AssertSucceeds("convert", "-O", "raw", Image, _directory["b"]);
        AssertFails(NoWrite, "check", "-r", "all", Image);
        AssertFails(NoWrite, "create", "-f", "qcow2", Image, "1M");
        AssertFails(NoWrite, "resize", Image, "2M");
    }

    [SkippableFact]
    public void ANewFileOfOursIsLockedFromTheStart()
    {
        QemuTools.Require();
        using IBlockFile ours = _locator.Create(_directory["new"], 1 << 20, OpenMode.ReadWrite);

        AssertFails(NoWrite, "create", "-f", "raw", _directory["new"], "1M");
        AssertFails(NoSharedWrite, "convert", "-f", "raw", "-O", "raw", _directory["new"], _directory["b"]);
    }

    [SkippableTheory]
    [InlineData(ImageLock.Shared)]
    [InlineData(ImageLock.None)]
    public void AForcedOrLocklessReaderOfOursIsNoHindrance(ImageLock sharing)
    {
        MakeImage();
        using IBlockFile ours = _locator.Open(Image, OpenMode.ReadOnly with { Lock = sharing });

        AssertSucceeds("resize", Image, "2M");
    }

    [SkippableFact]
    public void LocksGoWithTheHandle()
    {
        MakeImage();
        _locator.Open(Image, OpenMode.ReadWrite).Dispose();

        AssertSucceeds("check", "-r", "all", Image);
    }

    [SkippableTheory]
    [InlineData(false, ImageLock.Default, "-r")]
    [InlineData(true, ImageLock.Default)]
    [InlineData(false, ImageLock.Shared, "-r", "-U")]
    public void OursTakesTheBytesThatQemuTakes(bool write, ImageLock sharing, params string[] flags)
    {
        MakeImage();
        string[] theirs;
        using (QemuHolder.Io(Image, "qcow2", flags))
        {
            theirs = HeldLocks(Image);
        }

        using IBlockFile ours = _locator.Open(Image, new OpenMode { Write = write, Lock = sharing });

        Assert.NotEmpty(theirs);
        Assert.Equal(theirs, HeldLocks(Image));
    }

    [SkippableFact]
    public void LocksGoThoughACopyOfTheDescriptorIsOpen()
    {
        // As in a child process between fork and exec.
        Skip.IfNot(OperatingSystem.IsLinux(), "image locks: not Linux");
        File.WriteAllBytes(Image, [1]);
        IBlockFile file = _locator.Open(Image, OpenMode.ReadWrite);
        string descriptor = Directory.EnumerateFiles("/proc/self/fd").Single(fd => new FileInfo(fd).LinkTarget == Image);
        using SafeFileHandle copy = new(Duplicate(int.Parse(Path.GetFileName(descriptor), CultureInfo.InvariantCulture)), ownsHandle: true);
        Assert.False(copy.IsInvalid);
        file.Dispose();

        _locator.Open(Image, OpenMode.ReadWrite).Dispose();
    }

    [SkippableFact]
    public void OursExcludeEachOther()
    {
        Skip.IfNot(OperatingSystem.IsLinux(), "image locks: not Linux");
        File.WriteAllBytes(Image, [1]);
        using (_locator.Open(Image, OpenMode.ReadWrite))
        {
            ImageException refused = AssertRefused(NoSharedWrite, () => _locator.Open(Image, OpenMode.ReadOnly));
            Assert.Equal(Image, refused.File);
            Assert.Equal($"Is another process using the image [{Image}]?", refused.Hint);
            AssertRefused(NoWrite, () => _locator.Open(Image, OpenMode.ReadWrite));
            _locator.Open(Image, Forced).Dispose();
        }

        using (_locator.Open(Image, OpenMode.ReadOnly))
        {
            _locator.Open(Image, OpenMode.ReadOnly).Dispose();
            AssertRefused(NoWrite, () => _locator.Open(Image, OpenMode.ReadWrite));
        }

        _locator.Open(Image, OpenMode.ReadWrite).Dispose();
    }

    [Fact]
    public void ForcedSharingIsForReaders()
    {
        File.WriteAllBytes(Image, [1]);
        ImageException refused = Assert.Throws<ImageException>(() => _locator.Open(Image, Forced with { Write = true }));
        Assert.Equal(ImageErrorKind.InvalidArgument, refused.Kind);
    }

    [LibraryImport("libc", EntryPoint = "dup")]
    private static partial int Duplicate(int descriptor);

    private void MakeImage()
    {
        QemuTools.Require();
        QemuTools.Img("create", "-q", "-f", "qcow2", Image, "1M");
    }

    private static ImageException AssertRefused(string message, Func<IBlockFile> open)
    {
        ImageException refused = Assert.Throws<ImageException>(() => open().Dispose());
        Assert.Equal(ImageErrorKind.Locked, refused.Kind);
        Assert.Equal(message, refused.Message);
        return refused;
    }

    private static void AssertFails(string message, params string[] arguments)
    {
        ToolResult result = QemuTools.TryImg(arguments);
        Assert.NotEqual(0, result.ExitCode);
        Assert.Contains(message, result.Error, StringComparison.Ordinal);
    }

    /// <summary>Kind and byte range of each lock on a file, as the kernel lists them.</summary>
    private static string[] HeldLocks(string path)
    {
        string inode = LoopDevice.Run("stat", "-c", "%i", path).Output.Trim();
        IEnumerable<string[]> locks = File.ReadLines("/proc/locks").Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries));

        // The kernel makes the list anew at each read of a part: a lock may stand in it twice when others come and go.
        return [.. locks.Where(l => l[1] == "OFDLCK" && l[5].EndsWith(':' + inode, StringComparison.Ordinal)).Select(l => $"{l[3]} {l[6]}-{l[7]}").Distinct().Order()];
    }

    private static void AssertSucceeds(params string[] arguments) => QemuTools.Img(arguments);
}
