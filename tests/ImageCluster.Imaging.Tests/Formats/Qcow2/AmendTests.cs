using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Formats;
using ImageCluster.Imaging.Formats.Capabilities;
using ImageCluster.Imaging.Formats.Qcow2;
using ImageCluster.Imaging.Formats.Raw;
using ImageCluster.Imaging.Storage;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Imaging.Tests.Formats.Qcow2;

/// <summary>Amending other versions and refcount widths: what the guest and its snapshots see stays, at every instant of a crash and whatever fails.</summary>
public sealed class AmendTests
{
    private const int Size = 96 * 1024;
    private const string Name = "a.qcow2";
    private const string Base = "base.raw";

    public static TheoryData<string, string> Amendments => new()
    {
        { "", "compat=0.10" },
        { "", "refcount_bits=2" },
        { "", "refcount_bits=64" },
        { "", "lazy_refcounts=on,refcount_bits=8" },
        { "refcount_bits=4", "compat=0.10,refcount_bits=16" },
        { "lazy_refcounts=on", "compat=v2" },
        { "compat=0.10", "compat=1.1" },
        { "compat=0.10", "compat=1.1,refcount_bits=32,lazy_refcounts=on" },
    };

    [Theory]
    [MemberData(nameof(Amendments))]
    public void ACrashAtAnyInstantKeepsAllThatTheGuestAndItsSnapshotsSee(string options, string amendment)
    {
        MemoryLocator files = NewImage(options);
        byte[][] expected = Contents(files);
        CrashLocator disk = new(files);
        using (WritableQcow2Image image = Open(disk))
        {
            image.Amend(Request(amendment));
        }

        Assert.True(disk.FlushPoints.Count > 3);
        foreach (int instant in disk.FlushPoints)
        {
            AssertSound(disk.AfterCrash(instant), expected, $"instant {instant}");
            AssertSound(disk.AfterCrash(instant, 7 + instant), expected, $"instant {instant}, parts");
        }

        Random random = new(11);
        for (int i = 0; i < 40; i++)
        {
            int instant = random.Next(disk.Instants + 1);
            AssertSound(disk.AfterCrash(instant, random.Next()), expected, $"instant {instant}, parts");
        }
    }

    [Theory]
    [MemberData(nameof(Amendments))]
    public void NothingIsLostOrLeakedAndTheHeaderSaysWhatWasAskedFor(string options, string amendment)
    {
        MemoryLocator files = NewImage(options);
        byte[][] expected = Contents(files);
        using (WritableQcow2Image image = Open(files))
        {
            image.Amend(Request(amendment));

            // The image goes on being used.
            using LayeredDisk disk = new([image, OpenBase(files)]);
            disk.Write(5000, [1, 2, 3]);
            expected[0].AsSpan(5000, 3).Clear();
            new byte[] { 1, 2, 3 }.CopyTo(expected[0], 5000);
        }

        CheckReport report = Check(files);
        Assert.Equal((0, 0, 0), (report.Corruptions, report.CheckErrors, report.Leaks));
        Assert.Equal(expected, Contents(files));
        Header header = HeaderReader.Read(files.Open(Name, OpenMode.ReadOnly));
        Dictionary<string, string> asked = Split(amendment);
        Assert.Equal(asked.GetValueOrDefault("compat") switch { "0.10" or "v2" => 2, null => 3, _ => 3 }, header.Version);
        Assert.Equal(int.Parse(asked.GetValueOrDefault("refcount_bits", "16")), 1 << header.RefcountOrder);
        Assert.Equal(asked.ContainsKey("lazy_refcounts"), header.HasLazyRefcounts);
        Assert.False(header.IsDirty);
    }

    [Theory]
    [InlineData(StorageCall.Write, "compat=0.10")]
    [InlineData(StorageCall.Flush, "compat=0.10")]
    [InlineData(StorageCall.Write, "refcount_bits=64")]
    [InlineData(StorageCall.Flush, "refcount_bits=64")]
    public void AFailureAnywhereLosesNothing(StorageCall call, string amendment)
    {
        MemoryLocator start = NewImage("");
        byte[][] expected = Contents(start);
        for (int n = 1; ; n++)
        {
            MemoryLocator files = NewImage("");
            FaultPlan plan = FaultPlan.FailCall(call, n);
            try
            {
                using WritableQcow2Image image = Open(FakeLocator.Failing(files, plan));
                image.Amend(Request(amendment));
            }
            catch (ImageException)
            {
                // As it should.
            }

            if (!plan.Fired)
            {
                Assert.True(n > 5, "the amendment was meant to make more calls");
                return;
            }

            AssertSound(files, expected, $"{call} {n}");
        }
    }

    [Fact]
    public void AZeroClusterWhoseRoomASnapshotUsesLosesItNotTheSnapshotItsData()
    {
        MemoryLocator files = NewImage("");
        using (LayeredDisk disk = OpenDisk(files))
        {
            WritableQcow2Image image = (WritableQcow2Image)disk.Top;
            image.CreateSnapshot(new ImageSnapshot { Id = "", Name = "before" });
            disk.WriteZeroes(0, 20 * 512, ZeroMode.KeepAllocated);
        }

        byte[][] expected = Contents(files);
        using (WritableQcow2Image image = Open(files))
        {
            image.Amend(Request("compat=0.10"));
        }

        Assert.Equal(expected, Contents(files));
        CheckReport report = Check(files);
        Assert.Equal((0, 0, 0), (report.Corruptions, report.CheckErrors, report.Leaks));
    }

    [Fact]
    public void ARefcountThatDoesNotFitIsRefusedBeforeAnythingIsChanged()
    {
        MemoryLocator files = NewImage("");
        byte[] before = files[Name];
        using (WritableQcow2Image image = Open(files))
        {
            ImageException e = Assert.Throws<ImageException>(() => image.Amend(Request("refcount_bits=1")));
            Assert.StartsWith("Cannot decrease refcount entry width to 1 bits: Cluster at offset 0x", e.Message);
            Assert.EndsWith(" has a refcount of 2", e.Message);
        }

        Assert.Equal(before, files[Name]);
    }

    [Fact]
    public void ARefcountBlockThatTheTableNamesTwiceIsRefused()
    {
        MemoryLocator files = NewImage("");
        Header header = HeaderReader.Read(files.Open(Name, OpenMode.ReadOnly));
        using (IBlockFile file = files.Open(Name, OpenMode.ReadWrite))
        {
            byte[] entry = new byte[8];
            Assert.Equal(8, file.Read(header.RefcountTableOffset, entry));
            file.Write(header.RefcountTableOffset + 32, entry);
        }

        using WritableQcow2Image image = Open(files);
        Assert.Contains("is named twice", Assert.Throws<ImageException>(() => image.Amend(Request("refcount_bits=8"))).Message);
    }

    private static AmendRequest Request(string options) => new() { Options = Split(options) };

    private static Dictionary<string, string> Split(string options) => options.Length == 0
        ? []
        : options.Split(',').Select(static option => option.Split('=')).ToDictionary(static parts => parts[0], static parts => parts[1]);

    // Over a backing file, with two snapshots that share most of what there is; data, compressed and both kinds of zero clusters.
    private static MemoryLocator NewImage(string options)
    {
        MemoryLocator files = new() { [Base] = Pattern(99) };
        Dictionary<string, string> all = Split(options);
        all["cluster_size"] = "512";
        all["backing_file"] = Base;
        all["backing_fmt"] = "raw";
        new Qcow2Format().Create(new CreateRequest { FileName = Name, Locator = files, VirtualSize = Size, Options = all });
        using LayeredDisk disk = OpenDisk(files);
        WritableQcow2Image image = (WritableQcow2Image)disk.Top;
        bool zeros = !all.ContainsKey("compat");
        disk.Write(1000, Pattern(1).AsSpan(0, 30_000));
        image.WriteCompressed(40 * 1024, new byte[512]);
        if (zeros)
        {
            disk.WriteZeroes(8192, 4096, ZeroMode.MayUnmap);
            disk.WriteZeroes(16384, 4096, ZeroMode.KeepAllocated);
            disk.WriteZeroes(50 * 1024, 20 * 1024, ZeroMode.MayUnmap);
        }

        image.CreateSnapshot(new ImageSnapshot { Id = "", Name = "one" });
        disk.Write(4096, Pattern(2).AsSpan(0, 700));
        image.CreateSnapshot(new ImageSnapshot { Id = "", Name = "two" });
        disk.Write(60 * 1024, Pattern(3).AsSpan(0, 3000));
        if (zeros)
        {
            disk.WriteZeroes(0, 3000, ZeroMode.MayUnmap);
        }

        return files;
    }

    private static byte[] Pattern(int seed)
    {
        byte[] bytes = new byte[Size];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }

    private static OpenContext Context(IFileLocator files, string name, OpenMode mode, bool forCheck = false) =>
        new() { File = files.Open(name, mode), FileName = name, Locator = files, Mode = mode, ForCheck = forCheck };

    private static WritableQcow2Image Open(IFileLocator files) =>
        (WritableQcow2Image)new Qcow2Format().Open(Context(files, Name, OpenMode.ReadWrite));

    private static IImageLayer OpenBase(IFileLocator files) => new RawFormat().Open(Context(files, Base, OpenMode.ReadOnly));

    private static LayeredDisk OpenDisk(IFileLocator files) => new([Open(files), OpenBase(files)]);

    // The disk's content, then that of each snapshot.
    private static byte[][] Contents(IFileLocator files)
    {
        using LayeredDisk disk = OpenDisk(files);
        WritableQcow2Image image = (WritableQcow2Image)disk.Top;
        List<byte[]> contents = [ReadAll(disk)];
        foreach (ImageSnapshot snapshot in image.ListSnapshots())
        {
            contents.Add(ReadAll(new LayeredDisk([image.OpenSnapshot(snapshot.Id), disk.Layers[1]])));
        }

        return [.. contents];
    }

    private static byte[] ReadAll(LayeredDisk disk)
    {
        byte[] bytes = new byte[disk.VirtualSize];
        disk.Read(0, bytes);
        return bytes;
    }

    private static CheckReport Check(MemoryLocator files)
    {
        using IImageLayer image = new Qcow2Format().Open(Context(files, Name, OpenMode.ReadOnly, forCheck: true));
        return ((ICheckable)image).Check(CheckRepair.None);
    }

    // A writer that opens it mends what is marked dirty.
    private static void AssertSound(MemoryLocator files, byte[][] expected, string context)
    {
        byte[][] contents = Contents(files);
        Assert.True(contents.Length == expected.Length, $"{context}: {contents.Length} contents");
        for (int i = 0; i < contents.Length; i++)
        {
            Assert.True(contents[i].AsSpan().SequenceEqual(expected[i]), $"{context}: content {i} differs");
        }

        CheckReport report = Check(files);
        Assert.True(report.Corruptions == 0 && report.CheckErrors == 0, $"{context}: {string.Join("; ", report.Messages.Take(5))}");
    }
}
