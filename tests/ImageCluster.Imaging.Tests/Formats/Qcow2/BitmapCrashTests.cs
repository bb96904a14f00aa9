using System.Globalization;
using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Formats;
using ImageCluster.Imaging.Formats.Capabilities;
using ImageCluster.Imaging.Formats.Qcow2;
using ImageCluster.Imaging.Storage;
using ImageCluster.Testing;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Imaging.Tests.Formats.Qcow2;

/// <summary>
/// The machine crashes, or storage fails, at every point while bitmaps record, are edited and stored: the image opens and checks without
/// corruption, and a bitmap that says of itself that it can be trusted has marked whatever the guest changed.
/// </summary>
public sealed class BitmapCrashTests
{
    private const string Recording = "recording";
    private const int Size = 400 * 1024;

    [Theory]
    [InlineData("cluster_size=512")]
    [InlineData("cluster_size=4k")]
    [InlineData("cluster_size=1k,lazy_refcounts=on")]
    [InlineData("cluster_size=16k,extended_l2=on")]
    [InlineData("cluster_size=4k,backing_file=a-base-with-a-name-that-is-long-enough-to-be-in-the-way.raw,backing_fmt=raw")]
    public void ACrashLeavesNoBitmapThatMissesAWrite(string options)
    {
        int seed = TestSeed.Value;
        CrashLocator disk = new(NewImage(options));
        Change(disk, new Random(seed));
        foreach (int instant in disk.FlushPoints)
        {
            AssertSound(disk.AfterCrash(instant), $"seed {seed}, instant {instant}");
            AssertSound(disk.AfterCrash(instant, seed + instant), $"seed {seed}, instant {instant}, parts");
        }

        Random random = new(seed);
        for (int i = 0; i < 60; i++)
        {
            int instant = random.Next(disk.Instants + 1);
            AssertSound(disk.AfterCrash(instant, random.Next()), $"seed {seed}, instant {instant}, parts");
        }
    }

    [Fact]
    public void ACrashWhileTheSizeChangesLeavesAnImageThatOpens()
    {
        // A cluster of bits covers 2 MiB: tables get longer and shorter.
        MemoryLocator start = NewImage("cluster_size=512");
        using (WritableQcow2Image image = CrashImage.Open(start))
        {
            image.AddBitmap("fine", 512, enabled: false);
            image.MarkBitmap("fine", [(0, Size)]);
            image.AddBitmap("0", 512, enabled: true);
        }

        int seed = TestSeed.Value;
        CrashLocator disk = new(start);
        int edits = 0;
        foreach (int size in new[] { 5 << 20, 3 << 20, 1 << 20, 9 << 20 })
        {
            // Edits that are not stored yet, of what the file has and has not.
            using WritableQcow2Image image = CrashImage.Open(disk);
            image.RemoveBitmap(string.Create(CultureInfo.InvariantCulture, $"{edits++}"));
            image.AddBitmap(string.Create(CultureInfo.InvariantCulture, $"{edits}"), 512, enabled: true);
            image.Resize(size, "off");
        }

        for (int instant = 0; instant <= disk.Instants; instant++)
        {
            AssertSound(disk.AfterCrash(instant), $"instant {instant}");
            AssertSound(disk.AfterCrash(instant, seed + instant), $"seed {seed}, instant {instant}, parts");
        }
    }

    /// <summary>Bitmaps are stored in the middle of changes to the guest's tables: what these no longer name is free only when the file says so too.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void ACrashWhileBitmapsAreStoredLeavesNoTableThatNamesAFreeCluster(bool resizes)
    {
        MemoryLocator start = NewImage("cluster_size=4k");
        using (WritableQcow2Image image = CrashImage.Open(start))
        {
            image.RemoveBitmap(Recording);
        }

        CrashLocator disk = new(start);
        using (WritableQcow2Image image = CrashImage.Open(disk))
        {
            image.Write(0, Enumerable.Repeat((byte)1, 64 << 10).ToArray());
            image.Flush();
            image.Discard(0, 32 << 10);
            image.AddBitmap(Recording, 4096, enabled: true);
            if (resizes)
            {
                image.Resize(Size + (64 << 10), "off");
            }

            image.Write(128 << 10, Enumerable.Repeat((byte)2, 4 << 10).ToArray());
        }

        for (int instant = 0; instant <= disk.Instants; instant++)
        {
            CheckReport report = CrashImage.Check(disk.AfterCrash(instant));
            Assert.True(report.Corruptions == 0 && report.CheckErrors == 0, $"instant {instant}: {string.Join("; ", report.Messages.Take(5))}");
        }
    }

    [Theory]
    [InlineData(StorageCall.Write)]
    [InlineData(StorageCall.Flush)]
    public void AFailureLeavesNoBitmapThatMissesAWrite(StorageCall call)
    {
        int seed = TestSeed.Value;
        for (int n = 1; ; n += 3)
        {
            MemoryLocator files = NewImage("cluster_size=512");
            FaultPlan plan = FaultPlan.FailCall(call, n);
            try
            {
                Change(FakeLocator.Failing(files, plan), new Random(seed));
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

            AssertSound(files, $"seed {seed}, {call} {n}");
        }
    }

    /// <summary>Every layout of a header: what else it says is never lost, and of the bitmaps it says the old, the new, or nothing.</summary>
    [Theory]
    [InlineData(512)]
    [InlineData(4096)]
    [InlineData(65536)]
    public void TheHeaderIsWholeAtEveryInstant(int clusterSize)
    {
        int seed = TestSeed.Value;
        for (int unknown = 0; unknown < Math.Min(640, clusterSize / 2); unknown += 8)
        {
            foreach (string? backing in new[] { null, "b", new string('n', 41), new string('x', clusterSize == 512 ? 60 : 500) })
            {
                if (clusterSize == 512 && 112 + unknown + 8 + 64 + (2 * (backing?.Length ?? 0)) > 512)
                {
                    continue;
                }

                ChangeHeader(clusterSize, unknown, backing, seed + unknown);
            }
        }
    }

    private static void ChangeHeader(int clusterSize, int unknown, string? backing, int seed)
    {
        MemoryLocator start = NewImage(string.Create(CultureInfo.InvariantCulture, $"cluster_size={clusterSize}"));
        using (IBlockFile file = start.Open(CrashImage.Name, OpenMode.ReadWrite))
        {
            Header header = HeaderReader.Read(file) with
            {
                Bitmaps = null,
                Autoclear = AutoclearFeatures.None,
                BackingFile = backing,
                UnknownExtensions = unknown == 0 ? [] : [new HeaderExtension(0x12345678, new byte[unknown - 8])],
            };
            file.Write(0, HeaderWriter.Write(header));
        }

        CrashLocator disk = new(start);
        Header before;
        BitmapsPointer?[] states = [null, new BitmapsPointer(1, clusterSize * 100L, 32), new BitmapsPointer(300, clusterSize * 3000L, 30_000), null];
        List<int> marks = [];
        using (IBlockFile file = disk.Open(CrashImage.Name, OpenMode.ReadWrite))
        {
            before = HeaderReader.Read(file);
            Metadata metadata = new(file, null, before);
            foreach (BitmapsPointer? state in states.Skip(1))
            {
                marks.Add(disk.Instants);
                BitmapsExtension.Write(metadata, state);
                Assert.Equal(state, HeaderReader.Read(file).Bitmaps);
            }
        }

        for (int instant = 0; instant <= disk.Instants; instant++)
        {
            for (int draw = 0; draw < 3; draw++)
            {
                using IBlockFile file = disk.AfterCrash(instant, seed + (instant * 10) + draw).Open(CrashImage.Name, OpenMode.ReadOnly);
                Header found = HeaderReader.Read(file);
                string context = $"cluster {clusterSize}, unknown {unknown}, backing {backing?.Length}, instant {instant} of {string.Join(' ', marks)}, seed {seed}";
                Assert.True(found.BackingFile == before.BackingFile, context);
                Assert.True(found.UnknownExtensions.Count == before.UnknownExtensions.Count, context);
                Assert.All(found.UnknownExtensions, extension => Assert.Equal(unknown - 8, extension.Data.Length));
                int step = marks.FindLastIndex(mark => mark < instant);
                bool expected = found.Bitmaps is null || step < 0 || found.Bitmaps == states[step] || found.Bitmaps == states[step + 1];
                Assert.True(expected, $"{context}: {found.Bitmaps}");
            }
        }
    }

    private static MemoryLocator NewImage(string options)
    {
        MemoryLocator files = CrashImage.New(options, Size);
        using WritableQcow2Image image = CrashImage.Open(files);
        image.AddBitmap(Recording, 4096, enabled: true);
        return files;
    }

    // The disk starts as zeros and only gets other bytes; the bitmap that records is never cleared.
    private static void Change(IFileLocator files, Random random)
    {
        for (int session = 0; session < 4; session++)
        {
            using WritableQcow2Image image = CrashImage.Open(files);
            int unit = image.Metadata.Layout.ClusterSize;
            for (int step = 0; step < 10; step++)
            {
                string other = $"other{random.Next(3)}";
                bool exists = image.ListBitmaps().Any(bitmap => bitmap.Name == other);
                switch (random.Next(8))
                {
                    case 0 when exists:
                        image.RemoveBitmap(other);
                        break;
                    case 0 or 1 when !exists:
                        image.AddBitmap(other, 512 << random.Next(6), enabled: random.Next(2) == 0);
                        break;
                    case 1 or 2 when exists:
                        image.MarkBitmap(other, image.ReadBitmap(Recording));
                        break;
                    case 3 when exists:
                        image.EnableBitmap(other, random.Next(2) == 0);
                        break;
                    case 4:
                        image.Flush();
                        break;
                    case 5:
                        // Tables of the finest bitmaps change their length; what the model looks at stays.
                        image.Resize(Size + (random.Next(9000) * 512), "off");
                        break;
                    default:
                        int start = random.Next(Size / unit) * unit;
                        byte[] data = new byte[Math.Min(Size - start, random.Next(1, 6) * unit)];
                        data.AsSpan().Fill((byte)random.Next(1, 256));
                        image.Write(start, data);
                        break;
                }
            }
        }
    }

    private static void AssertSound(MemoryLocator files, string context)
    {
        AssertCovers(files, context);
        using (WritableQcow2Image image = CrashImage.Open(files))
        {
            // A dirty image was repaired by now. Whatever it has can be removed, added to, and written.
            image.Write(0, Enumerable.Repeat((byte)7, image.Metadata.Layout.ClusterSize).ToArray());
            if (image.ListBitmaps().FirstOrDefault(bitmap => bitmap.IsInconsistent) is { } broken)
            {
                image.RemoveBitmap(broken.Name);
            }
        }

        AssertCovers(files, context + ", written again");
        CheckReport report = CrashImage.Check(files);
        Assert.True(report.Corruptions == 0 && report.CheckErrors == 0, $"{context}, written again: {string.Join("; ", report.Messages.Take(5))}");
    }

    private static void AssertCovers(MemoryLocator files, string context)
    {
        using Qcow2Image image = (Qcow2Image)new Qcow2Format().Open(new OpenContext { File = files.Open(CrashImage.Name, OpenMode.ReadOnly), FileName = CrashImage.Name, Locator = files });
        CheckReport report = CrashImage.Check(files);
        Assert.True((report.Corruptions == 0 && report.CheckErrors == 0) || image.IsDirty, $"{context}: {string.Join("; ", report.Messages.Take(5))}");
        if (image.ListBitmaps().FirstOrDefault(bitmap => bitmap.Name == Recording) is not { IsInconsistent: false })
        {
            return;
        }

        byte[] content = new byte[image.VirtualSize];
        new LayeredDisk(image).Read(0, content);
        foreach ((long offset, long length) in image.ReadBitmap(Recording))
        {
            content.AsSpan((int)offset, (int)length).Clear();
        }

        int missed = content.AsSpan().IndexOfAnyExcept((byte)0);
        Assert.True(missed < 0, $"{context}: the write of offset {missed} is not marked");
    }
}
