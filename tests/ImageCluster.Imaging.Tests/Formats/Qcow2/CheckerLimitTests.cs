using System.Buffers.Binary;
using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Formats;
using ImageCluster.Imaging.Formats.Capabilities;
using ImageCluster.Imaging.Formats.Qcow2;
using ImageCluster.Imaging.Storage;
using ImageCluster.Testing.Qemu;
using ImageCluster.Testing.Storage;
using ImageCluster.Testing.Time;

namespace ImageCluster.Imaging.Tests.Formats.Qcow2;

/// <summary>Metadata that refers to itself in a ring, overlaps or claims too much is checked in short time and little memory; marks of an unclean end are acted on.</summary>
public sealed class CheckerLimitTests : IDisposable
{
    private const int Cluster = 512;

    private readonly TempDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void AnL1TableThatNamesOneTableAMillionTimesIsCheckedAtOnce()
    {
        // 4 Mi entries, all for one table, all of whose 64 entries are for one cluster: 256 Mi references.
        MemoryFile file = MakeImage(l1Entries: 4 << 20, out long l1, out long free);
        byte[] entries = new byte[32 << 20];
        for (int i = 0; i < entries.Length; i += 8)
        {
            BinaryPrimitives.WriteUInt64BigEndian(entries.AsSpan(i), (ulong)free | Layout.CopiedFlag);
        }

        file.Write(l1, entries);
        byte[] table = new byte[Cluster];
        for (int i = 0; i < Cluster; i += 8)
        {
            BinaryPrimitives.WriteUInt64BigEndian(table.AsSpan(i), (ulong)(free + Cluster) | Layout.CopiedFlag);
        }

        file.Write(free, table);
        file.Write(free + Cluster, new byte[Cluster]);
        CheckReport report = CheckQuickly(file);
        Assert.Equal(4L << 26, report.AllocatedClusters);
        Assert.True(report.Corruptions > 0);
    }

    [Fact]
    public void TablesThatOverlapByAllOffsetsAreGivenUp()
    {
        // Each L1 entry names a table 512 bytes further on in clusters of 2 MiB.
        MemoryFile file = MakeImage(l1Entries: 100_000, out long l1, out long free, clusterBits: 21);
        byte[] entries = new byte[800_000];
        for (int i = 0; i < entries.Length / 8; i++)
        {
            BinaryPrimitives.WriteUInt64BigEndian(entries.AsSpan(i * 8), (ulong)(free + 512 + (i * 512L)));
        }

        file.Write(l1, entries);
        file.Write(free + (80 << 20), new byte[8]);
        for (long at = free; at < free + (60 << 20); at += 4096)
        {
            file.Write(at, [0xFF]);
        }

        CheckReport report = CheckQuickly(file);
        Assert.True(report.CheckErrors > 0);
    }

    [Fact]
    public void SnapshotsThatShareOneL1TableAreReadOnce()
    {
        MemoryFile file = MakeImage(l1Entries: 16, out _, out long free);
        byte[] entry = new byte[SnapshotTable.EntryLength + 24];
        byte[] table = new byte[65536 * entry.Length];
        for (int i = 0; i < 65536; i++)
        {
            BinaryPrimitives.WriteInt64BigEndian(entry, free);
            BinaryPrimitives.WriteInt32BigEndian(entry.AsSpan(8), 4 << 20);
            BinaryPrimitives.WriteInt32BigEndian(entry.AsSpan(36), 24);
            entry.CopyTo(table, i * entry.Length);
        }

        long snapshots = free + (32 << 20);
        file.Write(snapshots, table);
        byte[] l1Table = new byte[1 << 20];
        l1Table.AsSpan().Fill(0x02);
        file.Write(free, l1Table);
        HeaderPatch.WriteSnapshots(file, 65536, snapshots);
        CheckReport report = CheckQuickly(file);
        Assert.True(report.Corruptions > 65536);
        Assert.InRange(report.Messages.Count, 1, 11_000);
    }

    [Fact]
    public void ARefcountTableOfAllTheSameBlockInAVeryLongFileIsCheckedAtOnce()
    {
        MemoryFile file = MakeImage(l1Entries: 16, out _, out long free);
        byte[] block = new byte[Cluster];
        block.AsSpan().Fill(0x01);
        file.Write(free, block);
        long tableAt = free + Cluster;
        byte[] table = new byte[8 << 20];
        for (int i = 0; i < table.Length; i += 8)
        {
            BinaryPrimitives.WriteInt64BigEndian(table.AsSpan(i), free);
        }

        file.Write(tableAt, table);
        HeaderPatch.WriteRefcountTable(file, tableAt, table.Length / Cluster);

        // 256 Mi clusters, each of which leaks.
        file.SetLength(128L << 30);
        CheckReport report = CheckQuickly(file, seconds: 20);
        Assert.True(report.Leaks > 200_000_000);
        Assert.True(report.Corruptions > 1_000_000);
    }

    [Fact]
    public void ReferencesBeyondTheEndCostNothing()
    {
        MemoryFile file = MakeImage(l1Entries: 64, out long l1, out _);
        byte[] entries = new byte[512];
        for (int i = 0; i < 64; i++)
        {
            BinaryPrimitives.WriteUInt64BigEndian(entries.AsSpan(i * 8), 0x00FF_FFFF_FFF0_0000 - ((ulong)i << 20));
        }

        file.Write(l1, entries);
        CheckReport report = CheckQuickly(file);
        Assert.InRange(report.Corruptions, 64, 80);
    }

    [SkippableFact]
    public void AnImageThatWasNotClosedIsRepairedWhenItIsOpenedForWriting()
    {
        QemuTools.Require();
        string path = _directory["a.qcow2"];
        QemuTools.Img("create", "-q", "-f", "qcow2", "-o", "lazy_refcounts=on", path, "4M");

        // Killed before it writes the refcounts.
        QemuTools.TryIo(path, "qcow2", "write -P 5 0 1M", "abort");
        Assert.Contains("\"dirty-flag\": true", QemuTools.Img("info", "--output=json", path));
        using (IImageLayer image = WriterModel.OpenForWriting(path))
        {
            Assert.False(((IImageStatus)image).IsDirty);
        }

        QemuTools.Img("check", path);
        QemuTools.Io(path, "qcow2", "read -P 5 0 1M");
    }

    [SkippableFact]
    public void ALazyImageIsDirtyWhileItIsWrittenAndCleanAfter()
    {
        QemuTools.Require();
        string path = _directory["a.qcow2"];
        QemuTools.Img("create", "-q", "-f", "qcow2", "-o", "lazy_refcounts=on", path, "4M");
        using (LayeredDisk disk = new(WriterModel.OpenForWriting(path)))
        {
            disk.Write(0, [1, 2, 3]);
            disk.Flush();
            Assert.True(HeaderReader.Read(Qcow2TestImages.Locator.Open(path, new OpenMode { Lock = ImageLock.None })).IsDirty);
        }

        Assert.False(HeaderReader.Read(Qcow2TestImages.Locator.Open(path, OpenMode.ReadOnly)).IsDirty);
        QemuTools.Img("check", path);
    }

    // An empty image with an L1 table of its own; refcounts are wrong, which is no matter here.
    private static MemoryFile MakeImage(int l1Entries, out long l1, out long free, int clusterBits = 9)
    {
        MemoryFile file = new("ring.qcow2");
        long cluster = 1L << clusterBits;
        long tableBytes = (l1Entries * 8L + cluster - 1) / cluster * cluster;
        l1 = 3 * cluster;
        free = l1 + tableBytes;
        Header header = new()
        {
            ClusterBits = clusterBits,
            VirtualSize = (long)l1Entries << (clusterBits - 3 + clusterBits),
            L1Entries = l1Entries,
            L1Offset = l1,
            RefcountTableOffset = cluster,
            RefcountTableClusters = 1,
        };
        file.Write(0, HeaderWriter.Write(header));
        byte[] entry = new byte[8];
        BinaryPrimitives.WriteInt64BigEndian(entry, 2 * cluster);
        file.Write(cluster, entry);
        file.SetLength(free + cluster);
        return file;
    }

    private static CheckReport CheckQuickly(MemoryFile file, int seconds = 30)
    {
        long before = GC.GetAllocatedBytesForCurrentThread();
        TimeSpan started = ThreadCpuTime.Used;
        Header header = HeaderReader.Read(file, forCheck: true);
        CheckReport report = Checker.Run(new Metadata(file, null, header), CheckRepair.None);
        TimeSpan time = ThreadCpuTime.Used - started;
        long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        Assert.True(time < TimeSpan.FromSeconds(seconds), $"took {time}");
        Assert.True(allocated < 1L << 30, $"allocated {allocated:#,0} bytes");
        return report;
    }
}
