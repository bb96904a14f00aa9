using ImageCluster.Imaging;
using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Formats;
using ImageCluster.Imaging.Formats.Capabilities;
using ImageCluster.Imaging.Storage;
using ImageCluster.Jobs;
using ImageCluster.Jobs.Execution;
using ImageCluster.Testing.Qemu;
using ImageCluster.Testing.Storage;
using ImageCluster.Work.Tests.Support;

namespace ImageCluster.Work.Tests.Running;

/// <summary>
/// Commit and rebase on storage in memory that crashes, or fails at every single write: the top's guest always sees the same disk, and the same job
/// brings it to its end afterwards.
/// </summary>
public sealed class MergeCrashTests
{
    private const int Size = 3 << 20;
    private static readonly Dictionary<string, string> Roots = new() { ["r"] = "/r" };

    public static TheoryData<string, string> Jobs => new() { { "commit", "qcow2" }, { "commit", "raw" }, { "rebase", "raw" } };

    [Theory]
    [MemberData(nameof(Jobs))]
    public void ACrashAtAnyInstantLosesNothing(string operation, string baseFormat)
    {
        byte[] expected = Content(MakeImages(baseFormat));
        CrashLocator disk = new(MakeImages(baseFormat));
        Assert.Equal(JobOutcome.Succeeded, Driver(operation, disk).Run().Outcome);
        int[] points = [.. disk.FlushPoints];
        Assert.True(points.Length > 1);
        for (int i = 0; i < points.Length; i++)
        {
            foreach (MemoryLocator after in new[] { disk.AfterCrash(points[i]), disk.AfterCrash(Math.Max(0, points[i] - 1), seed: i) })
            {
                AssertGoesOn(operation, after, expected);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Jobs))]
    public void AFullDiskAtAnyWriteFailsTheJobAndLosesNothing(string operation, string baseFormat)
    {
        byte[] expected = Content(MakeImages(baseFormat));
        int fired = 0;
        for (int n = 1; ; n += 1 + n / 8)
        {
            MemoryLocator files = MakeImages(baseFormat);
            FaultPlan plan = FaultPlan.FailCall(StorageCall.Write, n, ImageErrorKind.NoSpace);
            JobEnd end = Driver(operation, FakeLocator.Failing(files, plan)).Run();
            if (!plan.Fired)
            {
                Assert.Equal(JobOutcome.Succeeded, end.Outcome);
                break;
            }

            fired++;
            Assert.Equal(JobOutcome.Failed, end.Outcome);
            AssertGoesOn(operation, files, expected);
        }

        Assert.True(fired > 3);
    }

    private static JobDriver Driver(string operation, IFileLocator files) => new(
        operation == "commit"
            ? new CommitSpec { Top = Name("top.qcow2"), TopFormat = "qcow2" }
            : new RebaseSpec { Image = Name("top.qcow2"), Format = "qcow2", Backing = Name("other"), BackingFormat = "raw" },
        Roots)
    {
        Files = files,
        Workers = 1,
        WholeThreads = 1,
    };

    private static ImageName Name(string file) => new("r", file);

    private static void AssertGoesOn(string operation, MemoryLocator files, byte[] expected)
    {
        Assert.Equal(expected, Content(files));
        JobEnd end = Driver(operation, files).Run();
        Assert.True(end.Outcome == JobOutcome.Succeeded, end.Reason);
        Assert.Equal(expected, Content(files));
        using IImageLayer top = new ChainOpener(files).OpenLayer("/r/top.qcow2", new ChainOptions { Format = "qcow2" });
        CheckReport report = ((ICheckable)top).Check(CheckRepair.None);
        Assert.Equal((0, 0), (report.Corruptions, report.CheckErrors));
    }

    private static byte[] Content(IFileLocator files)
    {
        using LayeredDisk disk = new ChainOpener(files).Open("/r/top.qcow2", new ChainOptions { Format = "qcow2" });
        byte[] content = new byte[disk.VirtualSize];
        disk.Read(0, content);
        return content;
    }

    private static MemoryLocator MakeImages(string baseFormat)
    {
        MemoryLocator files = new() { ["/r/other"] = GuestContent.Make(Size - (1 << 20), 8) };
        files["/r/base"] = [];
        if (baseFormat == "raw")
        {
            files["/r/base"] = GuestContent.Make(Size, 1);
        }
        else
        {
            Create(files, "/r/base", baseFormat, null);
            Write(files, "/r/base", baseFormat, (0, GuestContent.Make(Size, 1)));
        }

        Create(files, "/r/top.qcow2", "qcow2", baseFormat);
        Write(files, "/r/top.qcow2", "qcow2", (5000, GuestContent.Make(100_000, 2)), (1 << 20, GuestContent.Make(300_000, 3)), (Size - 7000, GuestContent.Make(7000, 4)));
        return files;
    }

    private static void Create(IFileLocator files, string name, string format, string? backingFormat) => FormatRegistry.Find(format)!.Create(new CreateRequest
    {
        FileName = name,
        Locator = files,
        VirtualSize = Size,
        Options = backingFormat is null
            ? new Dictionary<string, string> { ["cluster_size"] = "4096" }
            : new Dictionary<string, string> { ["cluster_size"] = "4096", ["backing_file"] = "base", ["backing_fmt"] = backingFormat },
    });

    private static void Write(IFileLocator files, string name, string format, params (long At, byte[] Bytes)[] pieces)
    {
        using LayeredDisk disk = new ChainOpener(files).Open(name, new ChainOptions { Format = format, Mode = OpenMode.ReadWrite });
        foreach ((long at, byte[] bytes) in pieces)
        {
            disk.Write(at, bytes);
        }

        disk.Flush();
    }
}
