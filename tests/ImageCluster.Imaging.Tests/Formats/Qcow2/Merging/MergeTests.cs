using CsCheck;
using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Formats;
using ImageCluster.Imaging.Formats.Capabilities;
using ImageCluster.Imaging.Formats.Filling;
using ImageCluster.Imaging.Storage;
using ImageCluster.Testing;
using ImageCluster.Testing.Qemu;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Imaging.Tests.Formats.Qcow2.Merging;

/// <summary>Shards merged into images by several, beside what qemu-img's own commit and rebase make of the same chain.</summary>
public sealed class MergeTests
{
    private static readonly string[] Options =
    [
        "cluster_size=512", "cluster_size=1k", "cluster_size=4k", "cluster_size=512,refcount_bits=1", "cluster_size=512,refcount_bits=2", "cluster_size=1k,refcount_bits=64",
        "cluster_size=1k,lazy_refcounts=on", "cluster_size=16k,extended_l2=on", "cluster_size=512,data_file=data.raw", "cluster_size=512,data_file=data.raw,data_file_raw=on",
        "cluster_size=2k,preallocation=metadata",
    ];

    private static readonly Gen<MergeCase> Cases =
        from seed in Gen.Int[0, 1_000_000]
        from options in Gen.Int[0, Options.Length - 1].Select(i => Options[i])
        from size in Gen.Int[100, 1500]
        from onBottom in Gen.Bool
        from shorter in Gen.Int[0, 90]
        from snapshots in Gen.Bool
        select new MergeCase
        {
            Seed = seed,
            Options = options,
            Size = size * 512,
            // Preallocated clusters hide what lies below; an external file that is raw cannot show it, nor have snapshots; a refcount of one bit counts one snapshot less.
            OnBottom = onBottom && !options.Contains("preallocation", StringComparison.Ordinal) && !options.Contains("data_file_raw", StringComparison.Ordinal),
            Shorter = shorter > 45 ? shorter * 512 : 0,
            Snapshots = snapshots && !options.Contains("data_file", StringComparison.Ordinal) && !options.Contains("refcount_bits=1", StringComparison.Ordinal)
                && !options.Contains("refcount_bits=2", StringComparison.Ordinal),
        };

    [Fact]
    public void AnyDivisionIntoShardsGivesWhatTheGuestSaw() => Gen.Select(Cases, Gen.Bool).Holds((images, rebases) =>
    {
        MemoryLocator files = new();
        images = images with { Prefix = "/" };
        images.Make(files);
        byte[] expected = MergeCase.Content(files, images.Top);
        ShardedMerge merge = new(images, rebases, new Random(images.Seed));
        merge.Run(files);
        Assert.Equal(expected, MergeCase.Content(files, images.Top));
        if (rebases)
        {
            Relink(files, images.Top, "other.raw");
            Assert.Equal(expected, MergeCase.Content(files, images.Top));
        }
        else
        {
            Assert.Equal(expected, MergeCase.Content(files, images.Base));
        }

        AssertClean(files, merge.Target);
    }, cases: 60);

    [SkippableFact]
    public void TheImageIsWhatQemuWouldMakeOfIt()
    {
        QemuTools.Require();
        Gen.Select(Cases, Gen.Bool).Holds((images, rebases) =>
        {
            using TempDirectory directory = new();
            foreach (string who in new[] { "mine", "theirs" })
            {
                Directory.CreateDirectory(directory[who]);
                (images with { Prefix = directory[who] + "/" }).Make(new LocalFileLocator());
            }

            ShardedMerge merge = new(images with { Prefix = directory["mine"] + "/" }, rebases, new Random(images.Seed));
            merge.Run(new LocalFileLocator());
            string name = Path.GetFileName(merge.Target);
            QemuTools.Img("check", "-f", "qcow2", merge.Target);
            if (rebases)
            {
                QemuTools.Img("rebase", "-u", "-b", "other.raw", "-F", "raw", merge.Target);
                QemuTools.Img("rebase", "-b", "other.raw", "-F", "raw", directory[$"theirs/{name}"]);
            }
            else
            {
                QemuTools.Img("commit", "-d", directory["theirs/top.qcow2"]);
            }

            QemuTools.Img("compare", "-f", "qcow2", "-F", "qcow2", merge.Target, directory[$"theirs/{name}"]);
            // And it is an image that can be written to.
            QemuTools.Io(merge.Target, "qcow2", "write -P 77 0 51200", $"write -z {images.Size - 512} 512");
            QemuTools.Img("check", "-f", "qcow2", merge.Target);
        }, cases: 14);
    }

    [Fact]
    public void ACrashAtAnyInstantLeavesLeaksAtWorstAndTheSameEnd() => Gen.Select(Cases, Gen.Bool).Holds(AssertCrashesAreMended, cases: 25);

    // A new refcount block was counted, and nothing referred to it yet.
    [Fact]
    public void ACrashBeforeTheFirstClusterOfAShardIsCountedIsMendedToo() => AssertCrashesAreMended(
        new MergeCase { Seed = 883435, Options = "cluster_size=1k,refcount_bits=64", Size = 355328, OnBottom = true, Shorter = 25600 }, rebases: true);

    [Fact]
    public void RefcountsOfManyNewClustersGetMoreBlocksAndALargerTable()
    {
        // A block of 64-bit refcounts counts 64 clusters of 512 bytes, a table of one cluster 64 blocks: 2 MiB in all.
        MergeCase images = new() { Seed = 5, Options = "cluster_size=512,refcount_bits=64", Size = 4 << 20, Prefix = "/" };
        MemoryLocator files = new();
        images.Make(files);
        using (LayeredDisk top = new ChainOpener(files).Open(images.Top, new ChainOptions { Mode = OpenMode.ReadWrite }))
        {
            byte[] data = new byte[3 << 20];
            new Random(1).NextBytes(data);
            top.Write(100_000, data);
        }

        byte[] expected = MergeCase.Content(files, images.Top);
        ShardedMerge merge = new(images, rebases: false, new Random(3));
        merge.Run(files);
        Assert.Equal(expected, MergeCase.Content(files, images.Base));
        AssertClean(files, images.Base);
    }

    [SkippableFact]
    public void AWriteByAnotherProgramIsFoundOutAndNothingIsTakenIn()
    {
        QemuTools.Require();
        using TempDirectory directory = new();
        MergeCase images = new() { Seed = 8, Options = "cluster_size=4k", Size = 600 << 10, Prefix = directory["a/"] };
        Directory.CreateDirectory(directory["a"]);
        LocalFileLocator files = new();
        images.Make(files);
        ShardedMerge merge = new(images, rebases: false, new Random(1));
        merge.Start(files);
        merge.Merge(files);
        QemuTools.Io(images.Base, "qcow2", "write -P 9 500k 20k");
        ImageException refused = Assert.Throws<ImageException>(() => merge.Finish(files));
        Assert.Contains("Another program has written to the image", refused.Message, StringComparison.Ordinal);
        refused = Assert.Throws<ImageException>(() => merge.MergeShard(files, 0, new MergeRoomKeeper(merge.Room, new Random(1)).Attempt()));
        Assert.Contains("Another program has written to the image", refused.Message, StringComparison.Ordinal);
        QemuTools.Img("check", images.Base);
        QemuTools.Io(images.Base, "qcow2", "read -P 9 500k 20k");
    }

    [Fact]
    public void OurOwnWriterCountsAsAnotherProgram()
    {
        MemoryLocator files = new();
        MergeCase images = new() { Seed = 8, Options = "cluster_size=4k", Size = 600 << 10, Prefix = "/" };
        images.Make(files);
        ShardedMerge merge = new(images, rebases: true, new Random(1));
        merge.Start(files);
        merge.Merge(files);
        using (LayeredDisk disk = new ChainOpener(files).Open(images.Top, new ChainOptions { Mode = OpenMode.ReadWrite }))
        {
            disk.Write(300, [1, 2, 3]);
        }

        Assert.Throws<ImageException>(() => merge.Finish(files));
        AssertClean(files, images.Top);
    }

    [Fact]
    public void WhatOneProcessMustWriteSaysSo()
    {
        MemoryLocator files = new();
        foreach ((string options, bool isShared) in new[] { ("compat=0.10", false), ("cluster_size=4k", true), ("cluster_size=64k,extended_l2=on", true) })
        {
            MergeCase.Create(files, "/a.qcow2", options, 1 << 20, null, null);
            using IImageLayer image = new ChainOpener(files).OpenLayer("/a.qcow2", new ChainOptions { Mode = OpenMode.ReadWrite });
            Assert.Equal(isShared, ((IMergeTarget)image).MergeShardLength > 0);
            if (!isShared)
            {
                Assert.Equal(ImageErrorKind.Unsupported, Assert.Throws<ImageException>(() => ((IMergeOwner)image).StartMerge()).Kind);
            }
        }

        MergeCase.Create(files, "/b.qcow2", "cluster_size=64k", 1 << 20, null, null);
        using (IImageLayer image = new ChainOpener(files).OpenLayer("/b.qcow2", new ChainOptions { Mode = OpenMode.ReadWrite }))
        {
            ((IBitmapEditor)image).AddBitmap("bits", 65536, enabled: true);
        }

        using IImageLayer marked = new ChainOpener(files).OpenLayer("/b.qcow2", ChainOptions.ReadOnly);
        Assert.Equal(0, ((IMergeTarget)marked).MergeShardLength);
    }

    [Theory]
    [InlineData("twice")]
    [InlineData("outside")]
    [InlineData("table")]
    [InlineData("shard")]
    public void AManifestThatCannotBeRightIsRefused(string wrong)
    {
        MemoryLocator files = new();
        MergeCase images = new() { Seed = 21, Options = "cluster_size=512", Size = 300 << 10, Prefix = "/" };
        images.Make(files);
        byte[] expected = MergeCase.Content(files, images.Top);
        ShardedMerge merge = new(images, rebases: false, new Random(4));
        merge.Start(files);
        merge.Merge(files);
        List<ShardManifest> manifests = [.. merge.Manifests];
        ShardManifest first = manifests[0];
        manifests[0] = wrong switch
        {
            "twice" => first with { Tables = [.. first.Tables.Select(_ => first.Tables.First(table => table != 0))] },
            "outside" => first with { Rooms = [.. first.Rooms, new RoomExtent(0, 512)] },
            "table" => first with { Tables = [512, .. first.Tables.Skip(1)] },
            _ => first with { Shard = 1L << 40 },
        };
        using (IImageLayer layer = new ChainOpener(files).OpenLayer(images.Base, new ChainOptions { Mode = OpenMode.ReadWrite }))
        {
            Assert.Throws<ImageException>(() => ((IMergeOwner)layer).FinishMerge(manifests, merge.ShardLength, merge.Room));
        }

        AssertSound(files, images.Base, wrong);
        Assert.Equal(expected, MergeCase.Content(files, images.Top));
        merge.Abandon(files);
        AssertClean(files, images.Base);
    }

    private static void AssertCrashesAreMended(MergeCase images, bool rebases)
    {
        MemoryLocator start = new();
        images = images with { Prefix = "/", Size = Math.Min(images.Size, 200 << 10) };
        images.Make(start);
        byte[] expected = MergeCase.Content(start, images.Top);
        CrashLocator disk = new(start);
        ShardedMerge merge = new(images, rebases, new Random(images.Seed));
        merge.Start(disk);
        int started = disk.Instants;
        merge.Merge(disk);
        int merged = disk.Instants;
        merge.Finish(disk);
        Random random = new(images.Seed);
        IEnumerable<int> instants = disk.FlushPoints.Where(point => point >= merged)
            .Concat(Enumerable.Range(0, 6).Select(_ => random.Next(started, merged + 1)))
            .Concat(Enumerable.Range(0, 12).Select(_ => random.Next(merged, disk.Instants + 1)));
        foreach (int instant in instants)
        {
            foreach (int? seed in new int?[] { null, images.Seed + instant })
            {
                string context = $"{images}, {(rebases ? "rebase" : "commit")}, instant {instant} ({started}, {merged}), {(seed is null ? "flushed" : "parts")}";
                MemoryLocator after = seed is { } some ? disk.AfterCrash(instant, some) : disk.AfterCrash(instant);
                AssertSound(after, merge.Target, context);
                Assert.True(expected.AsSpan().SequenceEqual(MergeCase.Content(after, images.Top)), context);
                if (instant >= merged)
                {
                    merge.Finish(after);
                    // The same once more is the same as once.
                    merge.Finish(after);
                }
                else
                {
                    merge.Abandon(after);
                }

                AssertClean(after, merge.Target, context);
                Assert.True(expected.AsSpan().SequenceEqual(MergeCase.Content(after, images.Top)), context);
                Assert.True(rebases || instant < merged || expected.AsSpan().SequenceEqual(MergeCase.Content(after, images.Base)), context);
                if (rebases && instant >= merged)
                {
                    Relink(after, images.Top, "other.raw");
                    Assert.True(expected.AsSpan().SequenceEqual(MergeCase.Content(after, images.Top)), context);
                }
            }
        }
    }

    private static void Relink(IFileLocator files, string name, string backing)
    {
        using IImageLayer layer = new ChainOpener(files).OpenLayer(name, new ChainOptions { Mode = OpenMode.ReadWrite });
        ((IBackingChanger)layer).ChangeBacking(new BackingReference(backing, "raw"));
    }

    private static void AssertSound(IFileLocator files, string name, string context = "")
    {
        CheckReport report = MergeCase.Check(files, name);
        Assert.True(report.Corruptions == 0 && report.CheckErrors == 0, $"{context}: {string.Join("; ", report.Messages.Take(5))}");
    }

    private static void AssertClean(IFileLocator files, string name, string context = "")
    {
        CheckReport report = MergeCase.Check(files, name);
        Assert.True(report is { Corruptions: 0, CheckErrors: 0, Leaks: 0 }, $"{context}: {string.Join("; ", report.Messages.Take(5))}");
        using IImageLayer image = new ChainOpener(files).OpenLayer(name, ChainOptions.ReadOnly);
        Assert.False(((IMergeTarget)image).IsMerging, context);
    }
}
