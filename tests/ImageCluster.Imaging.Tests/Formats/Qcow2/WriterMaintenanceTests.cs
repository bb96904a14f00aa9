using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Extents;
using ImageCluster.Imaging.Formats;
using ImageCluster.Imaging.Formats.Capabilities;
using ImageCluster.Imaging.Formats.Qcow2;
using ImageCluster.Testing.Qemu;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Imaging.Tests.Formats.Qcow2;

/// <summary>Emptying, another backing file, sizes that are refused, bitmaps that a writer leaves behind, threads.</summary>
public sealed class WriterMaintenanceTests : IDisposable
{
    private readonly TempDirectory _directory = new();

    public WriterMaintenanceTests() => Path = _directory["a.qcow2"];

    private string Path { get; }

    public void Dispose() => _directory.Dispose();

    [SkippableFact]
    public void AnEmptiedImageHoldsNothingAndHasNoLeaks()
    {
        QemuTools.Require();
        QemuTools.Img("create", "-q", "-f", "qcow2", "-o", "cluster_size=512", Path, "2M");
        QemuTools.Io(Path, "qcow2", "write -P 1 0 900k", "write -z 1M 100k");
        QemuTools.Img("snapshot", "-c", "kept", Path);
        QemuTools.Io(Path, "qcow2", "write -P 2 100k 300k");
        using (WritableQcow2Image image = Open())
        {
            image.MakeEmpty();
            Assert.Equal(ExtentKind.Absent, Assert.Single(Qcow2TestImages.MapAll(image)).Kind);
            image.Write(512, new byte[512]);
        }

        QemuTools.Img("check", Path);
        QemuTools.Img("snapshot", "-a", "kept", Path);
        QemuTools.Io(Path, "qcow2", "read -P 1 0 900k", "read -P 0 1M 100k");
    }

    [SkippableFact]
    public void TheBackingFileIsWhatTheHeaderIsToldAndTheRestStays()
    {
        QemuTools.Require();
        QemuTools.Img("create", "-q", "-f", "qcow2", Path, "2M");
        QemuTools.Img("bitmap", "--add", "--disable", Path, "marks");
        QemuTools.Img("create", "-q", "-f", "raw", _directory["base.raw"], "2M");
        using (WritableQcow2Image image = Open())
        {
            image.ChangeBacking(new BackingReference("base.raw", "raw"));
            Assert.Equal(new BackingReference("base.raw", "raw"), image.Backing);
        }

        string info = QemuTools.Img("info", "--output=json", Path);
        Assert.Contains("\"backing-filename\": \"base.raw\"", info);
        Assert.Contains("\"backing-filename-format\": \"raw\"", info);
        Assert.Contains("marks", info);
        QemuTools.Img("check", Path);
        using (WritableQcow2Image image = Open())
        {
            Assert.Throws<ImageException>(() => image.ChangeBacking(new BackingReference(new string('x', 1024), null)));
            image.ChangeBacking(null);
        }

        Assert.DoesNotContain("backing", QemuTools.Img("info", "--output=json", Path));
    }

    [SkippableFact]
    public void SizesAreRefusedWhereQemuRefusesThem()
    {
        QemuTools.Require();
        QemuTools.Img("create", "-q", "-f", "qcow2", "-o", "compat=0.10", Path, "2M");
        QemuTools.Img("snapshot", "-c", "s", Path);
        using (WritableQcow2Image image = Open())
        {
            AssertRefused(image, 4 << 20, "off", "Can't resize a v2 image which has snapshots");
        }

        QemuTools.Img("create", "-q", "-f", "qcow2", Path, "2M");
        using (WritableQcow2Image image = Open())
        {
            AssertRefused(image, 100, "off", "The new size must be a multiple of 512");
            AssertRefused(image, 1 << 20, "metadata", "Preallocation can't be used for shrinking an image");
            AssertRefused(image, 4 << 20, "some", "Unsupported preallocation mode 'some'");
            AssertRefused(image, long.MaxValue / 512 * 512, "off", "Failed to grow the L1 table: File too large");
            image.Resize(8L << 40, "off");
            Assert.Equal(8L << 40, image.VirtualSize);
            image.Write((8L << 40) - 65536, new byte[65536]);
        }

        QemuTools.Img("check", Path);
    }

    [SkippableFact]
    public void WhatASmallerDiskLeftBehindDoesNotComeBackWhenItGrows()
    {
        QemuTools.Require();
        QemuTools.Img("create", "-q", "-f", "qcow2", Path, "2M");
        QemuTools.Io(Path, "qcow2", "write -P 7 0 2M");
        using (WritableQcow2Image image = Open())
        {
            image.Resize(1000 * 512, "off");
            image.Resize(2 << 20, "full");
        }

        QemuTools.Io(Path, "qcow2", "read -P 7 0 512000", "read -P 0 512000 1585152");
        QemuTools.Img("check", Path);
    }

    [SkippableTheory]
    [InlineData("cluster_size=64k", 65536)]
    [InlineData("cluster_size=512", 512)]
    [InlineData("cluster_size=4k", 4096)]
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

        QemuTools.Io(theirs, "qcow2", "write -P 1 64k 64k", "write -z 5M 300k", "write -P 4 8323072 64k", "write -P 2 3M 1536");
        using (LayeredDisk disk = new(Open()))
        {
            disk.Write(65536, new byte[65536]);
            disk.WriteZeroes(5 << 20, 300 << 10, Imaging.Storage.ZeroMode.MayUnmap);
            disk.Write(8323072, new byte[65536]);
            ((WritableQcow2Image)disk.Top).Write(3 << 20, new byte[1536]);
            Assert.True(Flags(Path, "recording").HasFlag(BitmapFlags.InUse));
        }

        QemuTools.Img("check", Path);
        foreach (string name in new[] { "recording", "coarse", "resting" })
        {
            Assert.False(Flags(Path, name).HasFlag(BitmapFlags.InUse));
            Assert.Equal(Bits(theirs, name), Bits(Path, name));
        }

        Assert.Contains((byte)1, Bits(Path, "coarse").Select(value => (byte)Math.Min(value, (byte)1)));
        Assert.All(Bits(Path, "resting"), value => Assert.Equal(0, value));
    }

    [SkippableFact]
    public void BitmapsOfAWriterThatNeverClosedAreNotTrusted()
    {
        QemuTools.Require();
        QemuTools.Img("create", "-q", "-f", "qcow2", Path, "2M");
        QemuTools.Img("bitmap", "--add", Path, "recording");
        string copy = _directory["copy.qcow2"];
        using (WritableQcow2Image image = Open())
        {
            image.Write(0, new byte[65536]);
            image.Flush();
            File.Copy(Path, copy);
        }

        Assert.True(Flags(copy, "recording").HasFlag(BitmapFlags.InUse));
        QemuTools.Img("check", copy);
    }

    [SkippableFact]
    public void ABitmapWhoseTableLeadsIntoMetadataIsLeftMarked()
    {
        QemuTools.Require();
        QemuTools.Img("create", "-q", "-f", "qcow2", Path, "2M");
        QemuTools.Img("bitmap", "--add", Path, "recording");
        long table = Bitmap(Path, "recording", out Qcow2Image before).TableOffset;
        long l1 = before.Metadata.Header.L1Offset;
        before.Dispose();
        byte[] bytes = File.ReadAllBytes(Path);
        System.Buffers.Binary.BinaryPrimitives.WriteInt64BigEndian(bytes.AsSpan((int)table), l1);
        File.WriteAllBytes(Path, bytes);
        using (WritableQcow2Image image = Open())
        {
            image.Write(0, new byte[65536]);
        }

        Assert.True(Flags(Path, "recording").HasFlag(BitmapFlags.InUse));
        using LayeredDisk disk = Qcow2TestImages.OpenChain(Path);
        Assert.Equal(ExtentKind.Data, disk.Map(0, 65536).Extent.Kind);
    }

    private static PersistentBitmap Bitmap(string path, string name, out Qcow2Image image)
    {
        image = (Qcow2Image)new Qcow2Format().Open(new OpenContext
        {
            File = Qcow2TestImages.Locator.Open(path, new Imaging.Storage.OpenMode { Lock = Imaging.Storage.ImageLock.None }),
            FileName = path,
            Locator = Qcow2TestImages.Locator,
        });
        return image.Bitmaps.Single(bitmap => bitmap.Name == name);
    }

    private static BitmapFlags Flags(string path, string name)
    {
        BitmapFlags flags = Bitmap(path, name, out Qcow2Image image).Flags;
        image.Dispose();
        return flags;
    }

    // The stored bits, whatever clusters they are in.
    private static byte[] Bits(string path, string name)
    {
        PersistentBitmap bitmap = Bitmap(path, name, out Qcow2Image image);
        using (image)
        {
            int cluster = image.Metadata.Layout.ClusterSize;
            byte[] bits = new byte[bitmap.TableEntries * cluster];
            ulong[] table = Metadata.ReadL1(image.Metadata.File, bitmap.TableOffset, (int)bitmap.TableEntries);
            for (int i = 0; i < table.Length; i++)
            {
                Span<byte> part = bits.AsSpan(i * cluster, cluster);
                if ((table[i] & Layout.OffsetMask) != 0)
                {
                    image.Metadata.File.Read((long)(table[i] & Layout.OffsetMask), part);
                }
                else if ((table[i] & 1) != 0)
                {
                    part.Fill(0xFF);
                }
            }

            return bits;
        }
    }

    [SkippableFact]
    public void NarrowRefcountsRefuseASnapshotAndLeaveTheImageAsItWas()
    {
        QemuTools.Require();
        QemuTools.Img("create", "-q", "-f", "qcow2", "-o", "refcount_bits=1", Path, "2M");
        QemuTools.Io(Path, "qcow2", "write -P 7 0 1M");
        using (WritableQcow2Image image = Open())
        {
            Assert.Equal(ImageErrorKind.Limit, Assert.Throws<ImageException>(() => image.CreateSnapshot(new ImageSnapshot { Id = "", Name = "s" })).Kind);
        }

        QemuTools.Img("check", Path);
    }

    [SkippableFact]
    public void ACorruptEntryDoesNotLeadAWriterIntoMetadata()
    {
        QemuTools.Require();
        QemuTools.Img("create", "-q", "-f", "qcow2", Path, "2M");
        QemuTools.Io(Path, "qcow2", "write -P 7 0 64k");
        byte[] bytes = File.ReadAllBytes(Path);

        // The first data cluster is said to stand where the L1 table does.
        bytes[0x40000 + 5] = 0x03;
        File.WriteAllBytes(Path, bytes);
        using (WritableQcow2Image image = Open())
        {
            ImageException e = Assert.Throws<ImageException>(() => image.Write(0, new byte[512]));
            Assert.Equal("Preventing invalid write on metadata (overlaps with active L1 table)", e.Message);
            Assert.StartsWith("No more is written", Assert.Throws<ImageException>(() => image.Write(1 << 20, new byte[65536])).Message);
        }

        Assert.Contains("\"corrupt\": true", QemuTools.Img("info", "--output=json", Path));
    }

    [SkippableFact]
    public void ThreadsWriteDifferentClustersAtOnce()
    {
        QemuTools.Require();
        QemuTools.Img("create", "-q", "-f", "qcow2", "-o", "cluster_size=4k", Path, "16M");
        byte[] expected = GuestContent.Make(16 << 20, 5);
        using (LayeredDisk disk = new(Open()))
        {
            WritableQcow2Image image = (WritableQcow2Image)disk.Top;
            Parallel.For(0, 16 * 16, new ParallelOptions { MaxDegreeOfParallelism = 4 }, i =>
            {
                int at = i * 65536;
                if (i % 3 == 0)
                {
                    image.WriteCompressed(at, expected.AsSpan(at, 65536));
                }
                else
                {
                    disk.Write(at, expected.AsSpan(at, 65536));
                }

                if (i % 50 == 0)
                {
                    disk.Flush();
                }

                byte[] back = new byte[65536];
                disk.Read(at, back);
                Assert.True(back.AsSpan().SequenceEqual(expected.AsSpan(at, 65536)));
            });
        }

        QemuTools.Img("check", Path);
        Qcow2TestImages.AssertSame(expected, Qcow2TestImages.ReadAll(Path));
    }

    private static void AssertRefused(WritableQcow2Image image, long size, string preallocation, string message) =>
        Assert.Equal(message, Assert.Throws<ImageException>(() => image.Resize(size, preallocation)).Message);

    private WritableQcow2Image Open() => (WritableQcow2Image)WriterModel.OpenForWriting(Path);
}
