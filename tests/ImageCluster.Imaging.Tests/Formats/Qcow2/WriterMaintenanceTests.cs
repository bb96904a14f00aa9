using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Extents;
using ImageCluster.Imaging.Formats;
using ImageCluster.Imaging.Formats.Capabilities;
using ImageCluster.Imaging.Formats.Qcow2;
using ImageCluster.Testing.Qemu;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Imaging.Tests.Formats.Qcow2;

/// <summary>Emptying, another backing file, sizes that are refused, threads.</summary>
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

    [SkippableFact]
    public void ASnapshotWhoseNameDoesNotFitItsFieldIsRefused()
    {
        QemuTools.Require();
        QemuTools.Img("create", "-q", "-f", "qcow2", Path, "2M");
        using (WritableQcow2Image image = Open())
        {
            Assert.Throws<ImageException>(() => image.CreateSnapshot(new ImageSnapshot { Id = "", Name = new string('n', 65536) }));
        }

        using (WritableQcow2Image image = Open())
        {
            image.CreateSnapshot(new ImageSnapshot { Id = "", Name = new string('n', 65535) });
            Assert.Equal(65535, Assert.Single(image.ListSnapshots()).Name.Length);
        }

        QemuTools.Img("check", Path);
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
