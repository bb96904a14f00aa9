using System.Text;
using System.Text.RegularExpressions;
using ImageCluster.Imaging.Formats;
using ImageCluster.Imaging.Formats.Vmdk;
using ImageCluster.Imaging.Storage;
using ImageCluster.Testing.Qemu;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Imaging.Tests.Formats.Vmdk;

/// <summary>New disks are those of qemu-img, byte for byte but for the content id; and qemu-img's refusals are ours.</summary>
public sealed partial class CreatorTests
{
    public static TheoryData<string, string> Options()
    {
        TheoryData<string, string> data = [];
        foreach (string subformat in VmdkImages.Subformats)
        {
            foreach (string size in (string[])["512", "33555000", "5000M"])
            {
                data.Add($"subformat={subformat}", size);
            }
        }

        foreach (string options in (string[])["zeroed_grain=on", "compat6", "hwversion=14", "hwversion=undefined", "toolsversion=12345", "adapter_type=lsilogic",
            "adapter_type=buslogic", "adapter_type=legacyESX,compat6=on", "adapter_type=ide", "subformat=streamOptimized,zeroed_grain=on",
            "subformat=twoGbMaxExtentSparse,zeroed_grain=on,toolsversion=", "subformat=monolithicFlat,adapter_type=lsilogic,hwversion=21"])
        {
            data.Add(options, "3000M");
        }

        data.Add("", "33554432");
        data.Add("subformat=twoGbMaxExtentSparse", "4294967296");
        data.Add("", "8T");
        data.Add("", "0");
        data.Add("subformat=monolithicFlat", "0");
        return data;
    }

    [SkippableTheory]
    [MemberData(nameof(Options))]
    public void The_files_are_those_of_qemu_img(string options, string size)
    {
        QemuTools.Require();
        using TempDirectory theirs = new();
        using TempDirectory ours = new();
        QemuTools.Img(["create", "-f", "vmdk", .. options.Length > 0 ? (string[])["-o", options] : [], theirs["a b.c.vmdk"], size]);
        Assert.True(ByteSize.TryParse(size, out long bytes));
        new VmdkFormat().Create(new CreateRequest
        {
            FileName = ours["a b.c.vmdk"],
            Locator = VmdkImages.Local,
            VirtualSize = bytes,
            Options = Parse(options),
        });

        Assert.Equal(Names(theirs), Names(ours));
        foreach (string name in Names(ours))
        {
            AssertSameFile(theirs[name], ours[name]);
        }

        if (bytes > 0)
        {
            QemuTools.Img("info", ours["a b.c.vmdk"]);
            using IImageLayer layer = VmdkImages.Open(ours["a b.c.vmdk"]);
            Assert.Equal((bytes + 511) / 512 * 512, layer.VirtualSize);
        }
    }

    [SkippableTheory]
    [InlineData("monolithicSparse")]
    [InlineData("twoGbMaxExtentSparse")]
    [InlineData("streamOptimized")]
    public void A_backing_file_is_named_with_its_content_id(string subformat)
    {
        QemuTools.Require();
        using TempDirectory temp = new();
        QemuTools.Img("create", "-f", "vmdk", "-o", $"subformat={subformat}", temp["base.vmdk"], "3G");
        QemuTools.Io(temp["base.vmdk"], "vmdk", subformat == "streamOptimized" ? "write -c -P 7 1M 64k" : "write -P 7 1M 64k");
        QemuTools.Img("create", "-f", "vmdk", "-o", $"subformat={subformat}", "-b", "base.vmdk", "-F", "vmdk", temp["theirs.vmdk"]);
        new VmdkFormat().Create(new CreateRequest
        {
            FileName = temp["ours.vmdk"],
            Locator = VmdkImages.Local,
            VirtualSize = 3L << 30,
            Options = Parse($"subformat={subformat},backing_file=base.vmdk,backing_fmt=vmdk"),
        });

        string theirs = Descriptor(temp["theirs.vmdk"]).Replace("theirs", "ours");
        Assert.Equal(theirs, Descriptor(temp["ours.vmdk"]));
        QemuTools.Io(temp["ours.vmdk"], "vmdk", "read -P 7 1M 64k", "read -P 0 2M 64k");
        using var disk = VmdkImages.OpenChain(temp["ours.vmdk"]);
        byte[] read = new byte[64 << 10];
        disk.Read(1 << 20, read);
        Assert.All(read, static value => Assert.Equal(7, value));
    }

    [SkippableTheory]
    [InlineData("subformat=foo")]
    [InlineData("adapter_type=IDE")]
    [InlineData("compat6,hwversion=7")]
    [InlineData("subformat=monolithicFlat,zeroed_grain=on")]
    [InlineData("subformat=twoGbMaxExtentFlat,backing_file=base.vmdk,backing_fmt=vmdk")]
    [InlineData("backing_file=base.vmdk,backing_fmt=raw")]
    [InlineData("backing_file=base.qcow2,backing_fmt=vmdk")]
    [InlineData("zeroed_grain=perhaps")]
    public void Refusals_are_in_the_same_words(string options)
    {
        QemuTools.Require();
        using TempDirectory temp = new();
        QemuTools.Img("create", "-f", "vmdk", temp["base.vmdk"], "3M");
        QemuTools.Img("create", "-f", "qcow2", temp["base.qcow2"], "3M");
        ToolResult theirs = QemuTools.TryImg("create", "-u", "-f", "vmdk", "-o", options, temp["a.vmdk"], "3M");
        Assert.Equal(1, theirs.ExitCode);
        ImageException error = VmdkImages.Fails(() => new VmdkFormat().Create(new CreateRequest
        {
            FileName = temp["a.vmdk"],
            Locator = VmdkImages.Local,
            VirtualSize = 3 << 20,
            Options = Parse(options),
        }));
        Assert.Contains(error.Message, theirs.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("backing_file=a\"b.vmdk")]
    [InlineData("hwversion=4\nparentCID=12345678")]
    [InlineData("toolsversion=\"1")]
    public void What_a_descriptor_cannot_hold_is_refused(string options)
    {
        MemoryLocator files = new();
        ImageException error = VmdkImages.Fails(() => new VmdkFormat().Create(new CreateRequest
        {
            FileName = "a.vmdk",
            Locator = files,
            VirtualSize = 1 << 20,
            Options = Parse(options),
        }));
        Assert.Equal(ImageErrorKind.InvalidArgument, error.Kind);
        Assert.Empty(files.Names);
    }

    [Fact]
    public void A_parent_name_too_long_for_the_embedded_descriptor_is_refused()
    {
        MemoryLocator files = new();
        string parent = string.Concat(Enumerable.Repeat("long/", 2000)) + "p.vmdk";
        VmdkFormat format = new();
        format.Create(new CreateRequest { FileName = parent, Locator = files, VirtualSize = 1 << 20 });
        ImageException error = VmdkImages.Fails(() => format.Create(new CreateRequest
        {
            FileName = "a.vmdk",
            Locator = files,
            VirtualSize = 1 << 20,
            Options = new Dictionary<string, string> { ["backing_file"] = parent },
        }));
        Assert.Equal(ImageErrorKind.Limit, error.Kind);
    }

    internal static Dictionary<string, string> Parse(string options) => options.Split(',', StringSplitOptions.RemoveEmptyEntries)
        .Select(static option => option.Split('=', 2)).ToDictionary(static pair => pair[0], static pair => pair.Length > 1 ? pair[1] : "on");

    private static string[] Names(TempDirectory directory) =>
        [.. Directory.GetFiles(directory.Path).Select(static path => Path.GetFileName(path)!).Order(StringComparer.Ordinal)];

    private static string Descriptor(string path)
    {
        byte[] head = new byte[21 * 512];
        using IBlockFile file = VmdkImages.Local.Open(path, OpenMode.ReadOnly);
        file.ReadPadded(0, head);
        int start = head.AsSpan().IndexOf("# Disk"u8);
        string text = Encoding.UTF8.GetString(head.AsSpan(start));
        return ContentId().Replace(text[..text.IndexOf('\0')], "\nCID=X\n");
    }

    // Holes are skipped: the files may be large.
    private static void AssertSameFile(string theirPath, string ourPath)
    {
        using IBlockFile theirs = VmdkImages.Local.Open(theirPath, OpenMode.ReadOnly);
        using IBlockFile ours = VmdkImages.Local.Open(ourPath, OpenMode.ReadOnly);
        string text = Encoding.Latin1.GetString(Read(theirs, 0, (int)Math.Min(theirs.Length, 4096)));
        if (text.StartsWith("# Disk", StringComparison.Ordinal))
        {
            Assert.Equal(ContentId().Replace(text, "\nCID=X\n"), ContentId().Replace(Encoding.Latin1.GetString(Read(ours, 0, (int)Math.Min(ours.Length, 4096))), "\nCID=X\n"));
            return;
        }

        Assert.Equal(theirs.Length, ours.Length);
        for (long at = 0; at < theirs.Length;)
        {
            (long length, bool hole) = theirs.NextRange(at, theirs.Length - at);
            (long ourLength, bool ourHole) = ours.NextRange(at, length);
            length = ourLength;
            if (!hole || !ourHole)
            {
                length = Math.Min(length, 1 << 20);
                byte[] a = Read(theirs, at, (int)length);
                byte[] b = Read(ours, at, (int)length);
                if (at == 0 && a.Length >= 0x400 && a[0] == 'K')
                {
                    Assert.Equal(
                        ContentId().Replace(Encoding.Latin1.GetString(a, 512, 512), "\nCID=X\n").TrimEnd('\0'),
                        ContentId().Replace(Encoding.Latin1.GetString(b, 512, 512), "\nCID=X\n").TrimEnd('\0'));
                    a.AsSpan(512, 512).Clear();
                    b.AsSpan(512, 512).Clear();
                }

                VmdkImages.AssertSame(a, b, $"{Path.GetFileName(ourPath)} from {at:#x}:");
            }

            at += length;
        }
    }

    private static byte[] Read(IBlockFile file, long offset, int length)
    {
        byte[] bytes = new byte[length];
        file.ReadPadded(offset, bytes);
        return bytes;
    }

    [GeneratedRegex("\nCID=[0-9a-f]{1,8}\n")]
    private static partial Regex ContentId();
}
