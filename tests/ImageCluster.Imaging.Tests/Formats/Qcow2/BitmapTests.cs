using System.Buffers.Binary;
using System.Text.Json;
using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Extents;
using ImageCluster.Imaging.Formats;
using ImageCluster.Imaging.Formats.Capabilities;
using ImageCluster.Imaging.Formats.Qcow2;
using ImageCluster.Imaging.Storage;
using ImageCluster.Testing.Qemu;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Imaging.Tests.Formats.Qcow2;

/// <summary>Persistent bitmaps record what QEMU's would, follow the disk's size, and survive what else is done to the image.</summary>
public sealed class BitmapTests : IDisposable
{
    private readonly TempDirectory _directory = new();

    public BitmapTests() => Path = _directory["a.qcow2"];

    private string Path { get; }

    public void Dispose() => _directory.Dispose();

    [SkippableTheory]
    [InlineData("cluster_size=64k", 65536)]
    [InlineData("cluster_size=512", 512)]
    [InlineData("cluster_size=4k", 4096)]
    [InlineData("cluster_size=4k,lazy_refcounts=on", 4096)]
    public void BitmapsRecordWhatQemusWouldRecord(string options, int granularity)
    {
        QemuTools.Require();
        string theirs = _directory["theirs.qcow2"];
        foreach (string path in new[] { Path, theirs })
        {
            QemuTools.Img("create", "-q", "-f", "qcow2", "-o", options, path, "8M");
            QemuTools.Img("bitmap", "--add", "-g", $"{granularity}", path, "recording");
            QemuTools.Img("bitmap", "--add", "-g", "1M", path, "coarse");
            QemuTools.Img("bitmap", "--add", "--disable", path, "resting");
            QemuTools.Io(path, "qcow2", "write -P 1 2M 4k");
        }

        QemuTools.Io(theirs, "qcow2", "write -P 1 64k 64k", "write -z 5M 300k", "write -P 4 8323072 64k", "write -P 2 3M 1536", "discard 6M 64k");
        using (LayeredDisk disk = new(Open()))
        {
            disk.Write(65536, new byte[65536]);
            disk.WriteZeroes(5 << 20, 300 << 10, ZeroMode.MayUnmap);
            disk.Write(8323072, new byte[65536]);
            ((WritableQcow2Image)disk.Top).Write(3 << 20, new byte[1536]);
            ((WritableQcow2Image)disk.Top).Discard(6 << 20, 65536);
            Assert.True(Flags(Path, "recording").HasFlag(BitmapFlags.InUse));
        }

        QemuTools.Img("check", Path);
        Assert.Equal(BitmapText.Of(theirs), BitmapText.Of(Path));
        Assert.Contains("coarse 1048576 on: (0, 1048576)", BitmapText.Of(Path));
        Assert.Contains(" off:\n", BitmapText.Of(Path));
    }

    [SkippableFact]
    public void BitmapsOfAWriterThatNeverClosedAreNotTrusted()
    {
        QemuTools.Require();
        QemuTools.Img("create", "-q", "-f", "qcow2", Path, "2M");
        QemuTools.Img("bitmap", "--add", Path, "recording");
        QemuTools.Img("bitmap", "--add", "--disable", Path, "resting");
        string copy = _directory["copy.qcow2"];
        using (WritableQcow2Image image = Open())
        {
            image.Write(0, new byte[65536]);
            image.Flush();
            File.Copy(Path, copy);
        }

        Assert.True(Flags(copy, "recording").HasFlag(BitmapFlags.InUse));
        Assert.Equal(BitmapFlags.None, Flags(copy, "resting"));
        Assert.Equal(BitmapFlags.Auto, Flags(Path, "recording"));
        QemuTools.Img("check", copy);
    }

    [SkippableFact]
    public void AWriterThatWritesNothingMarksNothing()
    {
        QemuTools.Require();
        QemuTools.Img("create", "-q", "-f", "qcow2", Path, "2M");
        QemuTools.Img("bitmap", "--add", Path, "recording");
        byte[] before = File.ReadAllBytes(Path);
        using (WritableQcow2Image image = Open())
        {
            image.Flush();
            Assert.Equal(BitmapFlags.Auto, Flags(Path, "recording"));
        }

        Assert.Equal(before, File.ReadAllBytes(Path));
    }

    [SkippableFact]
    public void ABitmapWhoseTableLeadsIntoMetadataIsStoredElsewhere()
    {
        QemuTools.Require();
        QemuTools.Img("create", "-q", "-f", "qcow2", Path, "2M");
        QemuTools.Img("bitmap", "--add", Path, "recording");
        using (Qcow2Image before = (Qcow2Image)Qcow2TestImages.Open(Path))
        {
            long table = before.Bitmaps[0].TableOffset;
            long l1 = before.Metadata.Header.L1Offset;
            before.Dispose();
            byte[] bytes = File.ReadAllBytes(Path);
            BinaryPrimitives.WriteInt64BigEndian(bytes.AsSpan((int)table), l1);
            File.WriteAllBytes(Path, bytes);
        }

        using (WritableQcow2Image image = Open())
        {
            image.Write(0, new byte[65536]);
        }

        QemuTools.Img("check", Path);
        using LayeredDisk disk = Qcow2TestImages.OpenChain(Path);
        Assert.Equal(ExtentKind.Data, disk.Map(0, 65536).Extent.Kind);
    }

    [SkippableFact]
    public void WhatIsEditedIsThereAtOnceAndInTheFileAfterAFlush()
    {
        QemuTools.Require();
        QemuTools.Img("create", "-q", "-f", "qcow2", Path, "10M");
        using WritableQcow2Image image = Open();
        image.AddBitmap("first", 0, enabled: true);
        image.AddBitmap("second", 4096, enabled: false);
        image.MarkBitmap("second", [(5000, 1), (1 << 20, 100_000), ((10 << 20) - 1, 1), (99 << 20, 5)]);
        Assert.Equal(2, image.ListBitmaps().Count);
        Assert.Equal([(4096, 4096), (1 << 20, 102_400), ((10 << 20) - 4096, 4096)], image.ReadBitmap("second").Select(r => ((int)r.Offset, (int)r.Length)));
        Assert.Empty(image.Bitmaps);
        image.Flush();
        Assert.Equal(["second", "first"], image.Bitmaps.Select(b => b.Name));
        image.Write(0, new byte[100]);
        Assert.True(image.Bitmaps.Single(b => b.Name == "first").IsInconsistent);
        image.EnableBitmap("second", enabled: true);
        image.Write(3 << 20, new byte[100]);
        image.RemoveBitmap("first");
        image.AddBitmap("first", 512, enabled: true);
        image.Write(4 << 20, new byte[100]);
        image.Dispose();
        QemuTools.Img("check", Path);
        Assert.Equal(
            "second 4096 on: (4096, 4096) (1048576, 102400) (3145728, 4096) (4194304, 4096) (10481664, 4096)\nfirst 512 on: (4194304, 512)\n",
            BitmapText.Of(Path));
    }

    [SkippableFact]
    public void AnEnabledBitmapThatIsRemovedWithoutAFlushIsNotLeftBehindStale()
    {
        QemuTools.Require();
        QemuTools.Img("create", "-q", "-f", "qcow2", Path, "2M");
        QemuTools.Img("bitmap", "--add", Path, "recording");
        string copy = _directory["copy.qcow2"];
        using (WritableQcow2Image image = Open())
        {
            image.RemoveBitmap("recording");
            image.Write(0, new byte[65536]);
            File.Copy(Path, copy);
        }

        Assert.Equal("", BitmapText.Of(copy));
        QemuTools.Img("check", Path);
    }

    [SkippableTheory]
    [InlineData("cluster_size=512")]
    [InlineData("cluster_size=64k")]
    public void BitmapsFollowTheDisksSize(string options)
    {
        QemuTools.Require();
        string theirs = _directory["theirs.qcow2"];
        foreach (string path in new[] { Path, theirs })
        {
            QemuTools.Img("create", "-q", "-f", "qcow2", "-o", options, path, "6143k");
            QemuTools.Img("bitmap", "--add", "-g", "512", path, "fine");
            QemuTools.Img("bitmap", "--add", "-g", "2M", path, "coarse");
            QemuTools.Img("bitmap", "--add", "--disable", "-g", "4k", path, "resting");
            QemuTools.Io(path, "qcow2", "write 2000k 60k", "write 6100k 43k");
            QemuTools.Img("bitmap", "--merge", "fine", path, "resting");
        }

        foreach (int size in new[] { 8 << 20, 6100 << 10, 6130 << 10, 3 << 20, 2020 << 10, 2049 << 10, 512, 7 << 20 })
        {
            QemuTools.Img("resize", "-q", "--shrink", theirs, $"{size}");
            using (WritableQcow2Image image = Open())
            {
                image.Resize(size, "off");
            }

            QemuTools.Img("check", Path);
            Assert.Equal(BitmapText.Of(theirs), BitmapText.Of(Path));
        }
    }

    [SkippableFact]
    public void BitsThatAFileHasBehindTheDisksEndDoNotShowWhenItGrows()
    {
        QemuTools.Require();
        QemuTools.Img("create", "-q", "-f", "qcow2", Path, "1M");
        QemuTools.Img("bitmap", "--add", Path, "b");
        QemuTools.Io(Path, "qcow2", "write 0 64k");
        using (Qcow2Image before = (Qcow2Image)Qcow2TestImages.Open(Path))
        {
            ulong[] table = BitmapTable.Read(before.Metadata.File, before.Bitmaps[0]);
            before.Dispose();
            byte[] bytes = File.ReadAllBytes(Path);
            bytes.AsSpan((int)BitmapTable.OffsetOf(table[0]), 65536).Fill(0xFF);
            File.WriteAllBytes(Path, bytes);
        }

        Assert.Equal("b 65536 on: (0, 1048576)\n", BitmapText.Of(Path));
        using (WritableQcow2Image image = Open())
        {
            image.Resize(4 << 20, "off");
        }

        Assert.Equal("b 65536 on: (0, 1048576)\n", BitmapText.Of(Path));
        QemuTools.Img("bitmap", "--add", "--merge", "b", Path, "copy");
        Assert.Contains("copy 65536 on: (0, 1048576)\n", BitmapText.Of(Path));
    }

    [SkippableTheory]
    [InlineData("cluster_size=512", "")]
    [InlineData("cluster_size=512", "a-name-of-a-backing-file-that-is-rather-long-so-that-it-must-be-moved.raw")]
    [InlineData("cluster_size=1k", "b.raw")]
    [InlineData("cluster_size=4k", "a-name-of-a-backing-file-that-is-rather-long-so-that-it-must-be-moved.raw")]
    [InlineData("cluster_size=64k", "b.raw")]
    [InlineData("cluster_size=64k", "a-name-of-a-backing-file-that-is-rather-long-so-that-it-must-be-moved.raw")]
    public void TheHeaderKeepsWhatElseItHas(string options, string backing)
    {
        QemuTools.Require();
        string[] below = backing.Length > 0 ? ["-b", _directory[backing], "-F", "raw"] : [];
        if (backing.Length > 0)
        {
            QemuTools.Img("create", "-q", "-f", "raw", _directory[backing], "4M");
        }

        QemuTools.Img(["create", "-q", "-f", "qcow2", "-o", options, .. below, Path, "4M"]);
        string before = Info();
        for (int round = 0; round < 2; round++)
        {
            foreach (string name in new[] { "one", "two", "three" })
            {
                using WritableQcow2Image image = Open();
                image.AddBitmap(name, 0, enabled: true);
            }

            Assert.Equal(3, BitmapText.Of(Path).Count(c => c == '\n'));
            QemuTools.Img("check", Path);
            if (round > 0)
            {
                // QEMU writes the whole header anew.
                QemuTools.Img("bitmap", "--add", Path, "theirs");
                QemuTools.Img("bitmap", "--remove", Path, "theirs");
            }

            foreach (string name in new[] { "two", "one", "three" })
            {
                using WritableQcow2Image image = Open();
                image.RemoveBitmap(name);
            }

            Assert.Equal(before, Info());
            QemuTools.Img("check", Path);
        }

        string Info() => string.Join('\n', QemuTools.Img("info", Path).Split('\n').Where(line => !line.StartsWith("disk size", StringComparison.Ordinal)));
    }

    [SkippableFact]
    public void WhatCannotBeIsRefusedByName()
    {
        QemuTools.Require();
        QemuTools.Img("create", "-q", "-f", "qcow2", Path, "10M");
        using WritableQcow2Image image = Open();
        image.AddBitmap("b", 0, enabled: true);
        AssertRefused(ImageErrorKind.Exists, "Bitmap already exists: b", () => image.AddBitmap("b", 0, enabled: true));
        AssertRefused(ImageErrorKind.InvalidArgument, "Bitmap name cannot be empty", () => image.AddBitmap("", 0, enabled: true));
        AssertRefused(ImageErrorKind.InvalidArgument, "Granularity must be power of 2 and at least 512", () => image.AddBitmap("c", 1L << 32, enabled: true));
        AssertRefused(ImageErrorKind.InvalidArgument, "Granularity must be power of 2 and at least 512", () => image.AddBitmap("c", 256, enabled: true));
        AssertRefused(ImageErrorKind.Limit, "Name length exceeds maximum (1023 characters)", () => image.AddBitmap(new string('é', 512), 0, enabled: true));
        AssertRefused(ImageErrorKind.NotFound, "Dirty bitmap 'c' not found", () => image.ClearBitmap("c"));
        AssertRefused(ImageErrorKind.Limit, "An image with bitmaps cannot shrink to nothing", () => image.Resize(0, "off"));
        image.CreateSnapshot(new ImageSnapshot { Id = "", Name = "s" });
        AssertRefused(ImageErrorKind.Unsupported, "Device has active dirty bitmaps", () => image.ApplySnapshot("1"));
        image.AddBitmap(new string('é', 511), 0, enabled: true);
        image.AddBitmap("at the limit", 512, enabled: true);
        image.Dispose();
        QemuTools.Img("check", Path);
        Assert.Contains("at the limit", QemuTools.Img("info", Path));
    }

    [SkippableFact]
    public void ClustersOfBitsThatAreAllSetTakeNoRoom()
    {
        QemuTools.Require();
        QemuTools.Img("create", "-q", "-f", "qcow2", "-o", "cluster_size=512", Path, "9M");
        using (WritableQcow2Image image = Open())
        {
            // A cluster of bits covers 2 MiB.
            image.AddBitmap("b", 512, enabled: true);
            image.MarkBitmap("b", [(3 << 20, 512), ((4 << 20) + 512, 512)]);
            image.Flush();
            image.MarkBitmap("b", [(1 << 20, 8 << 20)]);
        }

        using (Qcow2Image image = (Qcow2Image)Qcow2TestImages.Open(Path))
        {
            ulong[] table = BitmapTable.Read(image.Metadata.File, image.Bitmaps[0]);
            Assert.Equal([BitmapTable.AllOnes, BitmapTable.AllOnes, BitmapTable.AllOnes], table[1..4]);

            // QEMU takes what lies behind the last bit to be set, too, and shows it when the disk grows.
            Assert.NotEqual(BitmapTable.AllOnes, table[4]);
        }

        Assert.Equal("b 512 on: (1048576, 8388608)\n", BitmapText.Of(Path));
        QemuTools.Img("check", Path);
        using (WritableQcow2Image image = Open())
        {
            image.Resize(12 << 20, "off");
            image.Write(7 << 20, new byte[512]);
        }

        Assert.Equal("b 512 on: (1048576, 8388608)\n", BitmapText.Of(Path));
        QemuTools.Img("bitmap", "--add", "-g", "512", "--merge", "b", Path, "copy");
        Assert.Contains("copy 512 on: (1048576, 8388608)\n", BitmapText.Of(Path));
        QemuTools.Img("check", Path);
    }

    [SkippableFact]
    public void ASizeThatCannotBeLeavesTheBitmapsAsTheyWere()
    {
        QemuTools.Require();
        QemuTools.Img("create", "-q", "-f", "qcow2", Path, "2M");
        QemuTools.Img("bitmap", "--add", "-g", "64M", Path, "b");
        QemuTools.Io(Path, "qcow2", "write 0 64k");
        using (WritableQcow2Image image = Open())
        {
            Assert.Equal("Bitmap 'b' is too big", Assert.Throws<ImageException>(() => image.Resize(long.MaxValue / 512 * 512, "off")).Message);
            Assert.Equal("Failed to grow the L1 table: File too large", Assert.Throws<ImageException>(() => image.Resize(1L << 52, "off")).Message);
        }

        Assert.Equal("b 67108864 on: (0, 2097152)\n", BitmapText.Of(Path));
        QemuTools.Img("check", Path);
    }

    [SkippableFact]
    public void AHeaderWithoutRoomRefusesABitmap()
    {
        QemuTools.Require();
        string backing = new('b', 350);
        QemuTools.Img("create", "-q", "-f", "qcow2", "-o", "cluster_size=512", "-u", "-b", backing, "-F", "raw", Path, "2M");
        byte[] before = File.ReadAllBytes(Path);
        using (WritableQcow2Image image = Open())
        {
            Assert.Equal(ImageErrorKind.NoSpace, Assert.Throws<ImageException>(() => image.AddBitmap("b", 0, enabled: true)).Kind);
        }

        Assert.Equal(before, File.ReadAllBytes(Path));
    }

    /// <summary>Not by our own reader: QEMU's NBD server says which ranges are dirty.</summary>
    [SkippableTheory]
    [InlineData("cluster_size=512")]
    [InlineData("cluster_size=64k")]
    public void QemuServesTheBitsThatWereMarked(string options)
    {
        QemuTools.Require();
        QemuTools.Img("create", "-q", "-f", "qcow2", "-o", options, Path, "10M");
        (long Offset, long Length)[] ranges = [(0, 512), (1536, 1024), (3 << 20, 1 << 20), ((10 << 20) - 512, 512)];
        using (WritableQcow2Image image = Open())
        {
            image.AddBitmap("marks", 512, enabled: false);
            image.MarkBitmap("marks", ranges);
        }

        using QemuHolder server = QemuHolder.Nbd(Path, "qcow2", _directory.Path, "-r", "-B", "marks");
        string map = QemuTools.Img("map", "--output=json", "--image-opts",
            $"driver=nbd,server.type=unix,server.path={_directory["holder.sock"]},x-dirty-bitmap=qemu:dirty-bitmap:marks");
        IEnumerable<(long, long)> dirty = JsonDocument.Parse(map).RootElement.EnumerateArray()
            .Where(extent => !extent.GetProperty("data").GetBoolean())
            .Select(extent => (extent.GetProperty("start").GetInt64(), extent.GetProperty("length").GetInt64()));
        Assert.Equal(ranges, dirty);
    }

    private static void AssertRefused(ImageErrorKind kind, string message, Action action)
    {
        ImageException e = Assert.Throws<ImageException>(action);
        Assert.Equal((kind, message), (e.Kind, e.Message));
    }

    private WritableQcow2Image Open() => (WritableQcow2Image)WriterModel.OpenForWriting(Path);

    // Of an image that may be open for writing.
    private static BitmapFlags Flags(string path, string name)
    {
        using Qcow2Image image = (Qcow2Image)new Qcow2Format().Open(new OpenContext
        {
            File = Qcow2TestImages.Locator.Open(path, new OpenMode { Lock = ImageLock.None }),
            FileName = path,
            Locator = Qcow2TestImages.Locator,
        });
        return image.Bitmaps.Single(bitmap => bitmap.Name == name).Flags;
    }
}
