using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Formats;
using ImageCluster.Imaging.Formats.Capabilities;
using ImageCluster.Imaging.Formats.Qcow2;
using ImageCluster.Imaging.Storage;
using ImageCluster.Testing;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Imaging.Tests.Formats.Qcow2;

/// <summary>The machine crashes, or storage fails, at every point of a run of writes: the image still opens and checks without corruption, and has what was flushed.</summary>
public sealed class CrashTests
{
    private const int Size = 300 * 1024;

    public static TheoryData<string> Options =>
    [
        "cluster_size=512",
        "cluster_size=4k",
        "cluster_size=1k,lazy_refcounts=on",
        "cluster_size=16k,extended_l2=on",
        "compat=0.10,cluster_size=512",
    ];

    [Theory]
    [MemberData(nameof(Options))]
    public void ACrashAtAnyInstantLeavesNoCorruption(string options)
    {
        int seed = TestSeed.Value;
        CrashLocator disk = new(CrashImage.New(options, Size));
        List<(int Instant, byte[] Content)> flushed = Change(disk, new Random(seed), snapshots: false);
        foreach (int instant in disk.FlushPoints)
        {
            AssertSound(disk.AfterCrash(instant), null, $"seed {seed}, instant {instant}");
            AssertSound(disk.AfterCrash(instant, seed + instant), null, $"seed {seed}, instant {instant}, parts");
        }

        foreach ((int instant, byte[] content) in flushed)
        {
            AssertSound(disk.AfterCrash(instant), content, $"seed {seed}, instant {instant}, just flushed");
        }

        Random random = new(seed);
        for (int i = 0; i < 60; i++)
        {
            int instant = random.Next(disk.Instants + 1);
            AssertSound(disk.AfterCrash(instant, random.Next()), null, $"seed {seed}, instant {instant}, parts");
        }
    }

    [Fact]
    public void ACrashWhileSnapshotsAreChangedIsMendedByTheNextWriter()
    {
        int seed = TestSeed.Value;
        CrashLocator disk = new(CrashImage.New("cluster_size=512", Size));
        _ = Change(disk, new Random(seed), snapshots: true);
        foreach (int instant in disk.FlushPoints)
        {
            foreach (MemoryLocator found in new[] { disk.AfterCrash(instant), disk.AfterCrash(instant, seed + instant) })
            {
                CrashImage.Open(found).Dispose();
                CheckReport report = CrashImage.Check(found);
                Assert.True(report.Corruptions == 0 && report.CheckErrors == 0, $"seed {seed}, instant {instant}: {string.Join("; ", report.Messages.Take(5))}");
            }
        }
    }

    /// <summary>The image stands on the one backing file or on the other, by its whole name, at every instant of the change.</summary>
    [Theory]
    [InlineData("cluster_size=64k", "old.raw", "a-much-longer-name.qcow2")]
    [InlineData("cluster_size=64k", "a-much-longer-name.raw", "new.qcow2")]
    [InlineData("cluster_size=8k", "old.raw", "LONG.qcow2")]
    [InlineData("cluster_size=64k", "LONG.raw", "NAME.qcow2")]
    [InlineData("cluster_size=2k", "LONG.raw", "LONG.qcow2")]
    [InlineData("cluster_size=512", "old.raw", "other.qcow2")]
    [InlineData("compat=0.10", "LONG.raw", "other.qcow2")]
    public void ACrashWhileTheBackingFileChangesLeavesTheOneNameOrTheOther(string options, string before, string after)
    {
        int seed = TestSeed.Value;
        (string first, string second) = (Long(before), Long(after));
        MemoryLocator files = CrashImage.New(options, Size);
        using (WritableQcow2Image image = CrashImage.Open(files))
        {
            image.ChangeBacking(new BackingReference(first, "raw"));
        }

        CrashLocator disk = new(files);
        using (WritableQcow2Image image = CrashImage.Open(disk))
        {
            image.ChangeBacking(new BackingReference(second, "qcow2"));
        }

        HashSet<BackingReference?> names = [];
        for (int instant = 0; instant <= disk.Instants; instant++)
        {
            foreach (MemoryLocator found in new[] { disk.AfterCrash(instant), disk.AfterCrash(instant, seed + instant), disk.AfterCrash(instant, seed - instant) })
            {
                using WritableQcow2Image image = CrashImage.Open(found);
                Assert.True(image.Backing == new BackingReference(first, "raw") || image.Backing == new BackingReference(second, "qcow2"), $"seed {seed}, instant {instant}: {image.Backing}");
                names.Add(image.Backing);
            }
        }

        Assert.Equal(2, names.Count);

        static string Long(string name) => name.Replace("LONG", new string('l', 700), StringComparison.Ordinal).Replace("NAME", new string('n', 1000), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(StorageCall.Write)]
    [InlineData(StorageCall.Flush)]
    public void AFailureLeavesNoCorruptionAndEndsAllWritingWhereItMustNotGoOn(StorageCall call)
    {
        int seed = TestSeed.Value;
        for (int n = 1; ; n += 3)
        {
            MemoryLocator files = CrashImage.New("cluster_size=512", Size);
            FaultPlan plan = FaultPlan.FailCall(call, n);
            FakeLocator faulty = FakeLocator.Failing(files, plan);
            try
            {
                _ = Change(faulty, new Random(seed), snapshots: false);
            }
            catch (ImageException)
            {
                // As it should.
            }

            if (!plan.Fired)
            {
                Assert.True(n > 10, "the run was meant to make more calls");
                break;
            }

            CheckReport report = CrashImage.Check(files);
            Assert.True(report.Corruptions == 0 && report.CheckErrors == 0, $"seed {seed}, {call} {n}: {string.Join("; ", report.Messages.Take(5))}");
        }
    }

    // Random changes; what the disk held at each flush.
    private static List<(int Instant, byte[] Content)> Change(IFileLocator files, Random random, bool snapshots)
    {
        byte[] content = new byte[Size];
        List<(int Instant, byte[] Content)> flushed = [(0, (byte[])content.Clone())];
        using LayeredDisk disk = new(CrashImage.Open(files));
        WritableQcow2Image image = (WritableQcow2Image)disk.Top;
        for (int step = 0; step < 45; step++)
        {
            int start = random.Next(Size);
            int length = Math.Min(Size - start, random.Next(1, 20_000));
            byte[] data = new byte[length];
            switch (random.Next(snapshots ? 8 : 6))
            {
                case 0 or 1 or 2:
                    data.AsSpan().Fill((byte)random.Next(1, 256));
                    disk.Write(start, data);
                    data.CopyTo(content, start);
                    break;
                case 3:
                    disk.WriteZeroes(start, length, (ZeroMode)random.Next(2));
                    content.AsSpan(start, length).Clear();
                    break;
                case 4:
                    int cluster = image.Metadata.Layout.ClusterSize;
                    start = start / cluster * cluster;
                    data = new byte[Math.Min(cluster, Size - start)];
                    data.AsSpan().Fill((byte)random.Next(1, 256));
                    image.WriteCompressed(start, data);
                    data.CopyTo(content, start);
                    break;
                case 5:
                    disk.Flush();
                    flushed.Add(((files as CrashLocator)?.Instants ?? 0, (byte[])content.Clone()));
                    break;
                case 6:
                    image.CreateSnapshot(new ImageSnapshot { Id = "", Name = "s" });
                    break;
                default:
                    if (image.ListSnapshots() is [var first, ..])
                    {
                        image.DeleteSnapshot(first.Id);
                    }

                    break;
            }
        }

        return flushed;
    }

    private static void AssertSound(MemoryLocator files, byte[]? expected, string context)
    {
        CheckReport report = CrashImage.Check(files);
        bool dirty = HeaderReader.Read(files.Open(CrashImage.Name, OpenMode.ReadOnly)).IsDirty;
        Assert.True((report.Corruptions == 0 && report.CheckErrors == 0) || dirty, $"{context}: {string.Join("; ", report.Messages.Take(5))}");
        using (LayeredDisk disk = new(CrashImage.Open(files)))
        {
            byte[] content = new byte[Size];
            disk.Read(0, content);
            Assert.True(expected is null || content.AsSpan().SequenceEqual(expected), $"{context}: what was flushed is not there");
        }

        report = CrashImage.Check(files);
        Assert.True(report.Corruptions == 0 && report.CheckErrors == 0, $"{context}, opened again: {string.Join("; ", report.Messages.Take(5))}");
    }
}
