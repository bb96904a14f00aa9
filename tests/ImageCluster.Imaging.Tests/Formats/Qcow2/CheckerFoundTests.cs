using System.Buffers.Binary;
using ImageCluster.Imaging.Formats.Capabilities;
using ImageCluster.Testing.Qemu;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Imaging.Tests.Formats.Qcow2;

/// <summary>Damage on which random tests once found the check to differ from qemu-img's: each stays as a case of its own.</summary>
public sealed class CheckerFoundTests : IDisposable
{
    private readonly TempDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    /// <summary>An L1 table where no file can be: qemu-img gives up there, with what it has found until then.</summary>
    [SkippableTheory]
    [InlineData(0x8000_0000_0014_D000, 2)]
    [InlineData(0x8000_0000_0000_0000, 2)]
    [InlineData(0x8000_00FF_0000_0000, 2)]
    [InlineData(0xFFFF_FFFF_FFFF_F000, 2)]
    [InlineData(0xFFFF_FFFF_FFFF_F000, 1000)]
    [InlineData(0x7FFF_FFFF_FFFF_F000, 2)]
    [InlineData(0x7FFF_FFFF_FFFF_F000, 1000)]
    [InlineData(0x7FFF_FFFF_C000_0000, 2)]
    [InlineData(0x7FFF_FFFF_BFFF_F000, 2)]
    [InlineData(0x8000_0000_0014_D000, 0)]
    [InlineData(0x8000_0000_0014_D200, 2)]
    public void SnapshotTableOutsideOfAnyFile(ulong offset, int entries)
    {
        byte[] bytes = ImageWithTwoSnapshots(out int table);
        BinaryPrimitives.WriteUInt64BigEndian(bytes.AsSpan(table), offset);
        BinaryPrimitives.WriteInt32BigEndian(bytes.AsSpan(table + 8), entries);
        Compare(bytes);
    }

    private byte[] ImageWithTwoSnapshots(out int table)
    {
        QemuTools.Require();
        string path = _directory["a.qcow2"];
        QemuTools.Img("create", "-q", "-f", "qcow2", "-o", "cluster_size=4k,lazy_refcounts=on", path, "3M");
        QemuTools.Io(path, "qcow2", "write -P 1 0 100k");
        QemuTools.Img("snapshot", "-c", "first", path);
        QemuTools.Io(path, "qcow2", "write -P 2 50k 100k");
        QemuTools.Img("snapshot", "-c", "second", path);
        byte[] bytes = File.ReadAllBytes(path);
        table = (int)BinaryPrimitives.ReadInt64BigEndian(bytes.AsSpan(64));
        return bytes;
    }

    private void Compare(byte[] bytes)
    {
        foreach (CheckRepair repair in new[] { CheckRepair.None, CheckRepair.Leaks, CheckRepair.All })
        {
            File.WriteAllBytes(_directory["theirs.qcow2"], bytes);
            File.WriteAllBytes(_directory["ours.qcow2"], bytes);
            CheckOutcome expected = CheckOutcome.OfQemu(_directory["theirs.qcow2"], repair, out string theirs);
            CheckOutcome actual = CheckOutcome.Ours(_directory["ours.qcow2"], repair, out string ours);
            Assert.Equal(expected, actual);
            Assert.Equal(Lines(theirs), Lines(ours));
        }
    }

    private static IEnumerable<string> Lines(string text) =>
        text.Replace("qemu-img: ", "", StringComparison.Ordinal).Split('\n', StringSplitOptions.RemoveEmptyEntries).Order(StringComparer.Ordinal);
}
