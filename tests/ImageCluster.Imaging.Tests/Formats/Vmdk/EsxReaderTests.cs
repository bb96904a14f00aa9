using System.Buffers.Binary;
using ImageCluster.Imaging.Chains;
using ImageCluster.Testing.Qemu;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Imaging.Tests.Formats.Vmdk;

/// <summary>What comes off ESX: vmfs, vmfsSparse and seSparse, read as qemu-img reads them.</summary>
public sealed class EsxReaderTests
{
    public static TheoryData<string, int> Disks() => new()
    {
        { "COWD 1", 1 << 20 },
        { "COWD 1", (4096 * 512) + 512 },
        { "COWD 128", 5 << 20 },
        { "COWD 3", (1 << 20) - 512 },
        { "SESPARSE", 1 << 20 },
        { "SESPARSE", (20 << 20) - 4096 - 512 },
        { "VMFS", 1 << 20 },
    };

    [SkippableTheory]
    [MemberData(nameof(Disks))]
    public void The_guest_reads_as_qemu_img_reads_it(string kind, int size)
    {
        QemuTools.Require();
        using TempDirectory temp = new();
        byte[] guest = GuestContent.Make(size, size);
        string[] words = kind.Split(' ');
        (string type, string line, byte[] extent) = words[0] switch
        {
            "COWD" => ("vmfsSparse", "VMFSSPARSE", EsxImages.Cowd(guest, int.Parse(words[1]), 3)),
            "SESPARSE" => ("seSparse", "SESPARSE", EsxImages.SeSparse(guest, 3)),
            _ => ("vmfs", "VMFS", guest),
        };
        File.WriteAllBytes(temp["disk-part.vmdk"], extent);
        File.WriteAllBytes(temp["disk.vmdk"], EsxImages.Descriptor(type, $"RW {size / 512} {line} \"disk-part.vmdk\""));
        QemuTools.Img("convert", "-f", "vmdk", "-O", "raw", temp["disk.vmdk"], temp["theirs.raw"]);
        VmdkImages.AssertSame(guest, File.ReadAllBytes(temp["theirs.raw"]), "the image that the test made:");

        using LayeredDisk disk = VmdkImages.OpenChain(temp["disk.vmdk"]);
        VmdkImages.AssertSame(guest, VmdkImages.ReadAll(disk));
        Random random = new(size);
        for (int i = 0; i < 100; i++)
        {
            int start = random.Next(size);
            byte[] part = new byte[random.Next(1, Math.Min(50_000, size - start + 1))];
            disk.Read(start, part);
            VmdkImages.AssertSame(guest.AsSpan(start, part.Length), part, $"at {start}:");
        }
    }

    /// <summary>The number of entries in the directory is the header's word: one sector of them too many is refused, whatever the file's length.</summary>
    [SkippableFact]
    public void A_sesparse_directory_that_is_too_large_is_refused_in_the_words_of_qemu_img()
    {
        QemuTools.Require();
        using TempDirectory temp = new();
        byte[] extent = EsxImages.SeSparse(GuestContent.Make(1 << 20, 3), 3);
        BinaryPrimitives.WriteUInt64LittleEndian(extent.AsSpan(17 * sizeof(ulong)), (32UL << 20) * sizeof(ulong) / 512 + 1);
        File.WriteAllBytes(temp["disk-part.vmdk"], extent);
        File.WriteAllBytes(temp["disk.vmdk"], EsxImages.Descriptor("seSparse", $"RW {(1 << 20) / 512} SESPARSE \"disk-part.vmdk\""));
        ToolResult theirs = QemuTools.TryImg("info", temp["disk.vmdk"]);
        string ours = VmdkImages.Fails(() => VmdkImages.Open(temp["disk.vmdk"])).Message;
        Assert.Equal("L1 size too big", ours);
        Assert.Equal($"qemu-img: Could not open '{temp["disk.vmdk"]}': {ours}\n", theirs.Error);
    }

    [SkippableTheory]
    [InlineData("vmfsSparse", "VMFSSPARSE")]
    [InlineData("seSparse", "SESPARSE")]
    public void A_snapshot_shows_its_parent_where_it_has_nothing(string type, string line)
    {
        QemuTools.Require();
        using TempDirectory temp = new();
        byte[] below = GuestContent.Make(3 << 20, 51);
        byte[] above = GuestContent.Make(3 << 20, 52);
        File.WriteAllBytes(temp["disk-flat.vmdk"], below);
        File.WriteAllBytes(temp["disk.vmdk"], EsxImages.Descriptor("vmfs", "RW 6144 VMFS \"disk-flat.vmdk\""));
        File.WriteAllBytes(temp["disk-000001-delta.vmdk"], type == "seSparse" ? EsxImages.SeSparse(above, 5) : EsxImages.Cowd(above, 1, 5));
        File.WriteAllBytes(temp["disk-000001.vmdk"], EsxImages.Descriptor(type, $"RW 6144 {line} \"disk-000001-delta.vmdk\"", "disk.vmdk"));
        QemuTools.Img("convert", "-f", "vmdk", "-O", "raw", temp["disk-000001.vmdk"], temp["theirs.raw"]);
        VmdkImages.AssertSame(File.ReadAllBytes(temp["theirs.raw"]), VmdkImages.ReadAll(temp["disk-000001.vmdk"]));
    }

    [Theory]
    [InlineData("vmfsSparse", "VMFSSPARSE", "No write support for vmfsSparse images available")]
    [InlineData("seSparse", "SESPARSE", "No write support for seSparse images available")]
    public void They_are_not_opened_for_writing(string type, string line, string message)
    {
        byte[] guest = GuestContent.Make(1 << 20, 1);
        MemoryLocator files = new()
        {
            ["part"] = type == "seSparse" ? EsxImages.SeSparse(guest, 1) : EsxImages.Cowd(guest, 1, 1),
            ["disk"] = EsxImages.Descriptor(type, $"RW 2048 {line} \"part\""),
        };
        Assert.Equal(message, VmdkImages.Fails(() => VmdkImages.Open(files, "disk", write: true)).Message);
    }

    [SkippableTheory]
    [InlineData(0, 1UL)]
    [InlineData(1, 0x0000000200000002UL)]
    [InlineData(3, 16UL)]
    [InlineData(4, 32UL)]
    [InlineData(5, 1UL)]
    [InlineData(7, 5UL)]
    [InlineData(17, 1UL << 24)]
    [InlineData(30, 1UL)]
    [InlineData(64, 0xCAFEUL)]
    [InlineData(67, 1UL)]
    [InlineData(80, 1UL)]
    public void A_seSparse_header_is_refused_in_the_words_of_qemu_img(int field, ulong value)
    {
        QemuTools.Require();
        using TempDirectory temp = new();
        byte[] extent = EsxImages.SeSparse(GuestContent.Make(1 << 20, 1), 1);
        BinaryPrimitives.WriteUInt64LittleEndian(extent.AsSpan(field * 8), value);
        File.WriteAllBytes(temp["part"], extent);
        File.WriteAllBytes(temp["disk"], EsxImages.Descriptor("seSparse", "RW 2048 SESPARSE \"part\""));
        ToolResult theirs = QemuTools.TryImg("info", temp["disk"]);
        Assert.Equal(1, theirs.ExitCode);
        Assert.Contains(VmdkImages.Fails(() => VmdkImages.Open(temp["disk"])).Message, theirs.Error, StringComparison.Ordinal);
    }
}
