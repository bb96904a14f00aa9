using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Extents;
using ImageCluster.Imaging.Formats;
using ImageCluster.Testing.Qemu;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Imaging.Tests.Formats.Vmdk;

/// <summary>What qemu-img wrote reads back byte for byte, and describes itself as qemu-img says.</summary>
public sealed class ReaderTests
{
    public static TheoryData<string, int> Contents()
    {
        TheoryData<string, int> data = [];
        foreach (string subformat in VmdkImages.Subformats)
        {
            // Around a grain, a sector, a grain table's range; odd sizes are rounded up to sectors by qemu-img.
            foreach (int size in (int[])[512, 65536, 65537 + 512, (32 << 20) + 1536, (3 << 20) - 700])
            {
                data.Add(subformat, size);
            }
        }

        return data;
    }

    [SkippableTheory]
    [MemberData(nameof(Contents))]
    public void What_qemu_img_converted_reads_back(string subformat, int size)
    {
        QemuTools.Require();
        using TempDirectory temp = new();
        byte[] guest = VmdkImages.Guest((size + 511) & -512, size);
        string raw = temp["source.raw"];
        File.WriteAllBytes(raw, guest);
        string image = temp["disk.vmdk"];
        QemuTools.Img("convert", "-O", "vmdk", "-o", $"subformat={subformat}", raw, image);

        using LayeredDisk disk = VmdkImages.OpenChain(image);
        Assert.Equal(guest.Length, disk.VirtualSize);
        VmdkImages.AssertSame(guest, VmdkImages.ReadAll(disk));
        Random random = new(size);
        for (int i = 0; i < 100; i++)
        {
            int start = random.Next(guest.Length);
            byte[] part = new byte[random.Next(1, Math.Min(200_000, guest.Length - start + 1))];
            disk.Read(start, part);
            VmdkImages.AssertSame(guest.AsSpan(start, part.Length), part, $"at {start}:");
        }
    }

    [SkippableFact]
    public void Zeroed_grains_hide_the_parent_and_unwritten_ones_show_it()
    {
        QemuTools.Require();
        using TempDirectory temp = new();
        string @base = temp["base.vmdk"];
        string overlay = temp["overlay.vmdk"];
        QemuTools.Img("create", "-f", "vmdk", @base, "1M");
        QemuTools.Io(@base, "vmdk", "write -P 0x11 0 1M");
        QemuTools.Img("create", "-f", "vmdk", "-o", "zeroed_grain=on", "-b", @base, "-F", "vmdk", overlay);
        QemuTools.Io(overlay, "vmdk", "write -z 64k 128k", "write -P 0x22 256k 512");

        byte[] expected = new byte[1 << 20];
        expected.AsSpan().Fill(0x11);
        expected.AsSpan(64 << 10, 128 << 10).Clear();
        expected.AsSpan(256 << 10, 512).Fill(0x22);
        using LayeredDisk disk = VmdkImages.OpenChain(overlay);
        VmdkImages.AssertSame(expected, VmdkImages.ReadAll(disk));
        Assert.Equal(ExtentKind.Zero, disk.Top.Map(64 << 10, 1 << 20).Kind);
        Assert.Equal(128 << 10, disk.Top.Map(64 << 10, 512 << 10).Length);
        Assert.Equal(ExtentKind.Absent, disk.Top.Map(0, 1).Kind);
    }

    [SkippableFact]
    public void A_parent_that_was_written_to_is_refused_by_its_content_id()
    {
        QemuTools.Require();
        using TempDirectory temp = new();
        string @base = temp["base.vmdk"];
        string overlay = temp["overlay.vmdk"];
        QemuTools.Img("create", "-f", "vmdk", @base, "1M");
        QemuTools.Img("create", "-f", "vmdk", "-b", @base, "-F", "vmdk", overlay);
        VmdkImages.OpenChain(overlay).Dispose();

        QemuTools.Io(@base, "vmdk", "write -P 0x11 0 512");
        ImageException error = VmdkImages.Fails(() => VmdkImages.OpenChain(overlay));
        Assert.Equal(ImageErrorKind.Corrupt, error.Kind);
        Assert.Contains("CID", error.Message, StringComparison.Ordinal);
    }

    [SkippableTheory]
    [MemberData(nameof(VmdkImages.SubformatData), MemberType = typeof(VmdkImages))]
    public void An_empty_disk_of_several_extents_maps_in_few_looks(string subformat)
    {
        QemuTools.Require();
        using TempDirectory temp = new();
        string image = temp["disk.vmdk"];
        long size = (5L << 30) + 512;
        QemuTools.Img("create", "-f", "vmdk", "-o", $"subformat={subformat}", image, size.ToString());
        using IImageLayer layer = VmdkImages.Open(image);
        Assert.Equal(size, layer.VirtualSize);
        int looks = 0;
        for (long at = 0; at < size; looks++)
        {
            Extent extent = layer.Map(at, size - at);
            Assert.Equal(at, extent.Start);
            // qemu-img writes the first block of each file, for probing its alignment.
            Assert.True(extent.Kind is ExtentKind.Absent or ExtentKind.Zero || extent.Length <= 4096, $"{extent}");
            at = extent.End;
        }

        Assert.InRange(looks, 1, 1000);
    }
}
