using System.Text.Json;
using ImageCluster.Imaging.Formats;
using ImageCluster.Imaging.Formats.Capabilities;
using ImageCluster.Imaging.Formats.Vmdk;
using ImageCluster.Imaging.Storage;
using ImageCluster.Testing.Qemu;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Imaging.Tests.Formats.Vmdk;

/// <summary>What info shows, what check finds, what probing says: as qemu-img has it.</summary>
public sealed class DescribeTests
{
    [SkippableTheory]
    [MemberData(nameof(VmdkImages.SubformatData), MemberType = typeof(VmdkImages))]
    public void The_specific_fields_are_those_of_qemu_img_info(string subformat)
    {
        QemuTools.Require();
        using TempDirectory temp = new();
        QemuTools.Img("create", "-f", "vmdk", "-o", $"subformat={subformat}", temp["disk.vmdk"], "3G");
        AssertSameFields(temp["disk.vmdk"]);
    }

    [SkippableFact]
    public void A_child_shows_its_parent()
    {
        QemuTools.Require();
        using TempDirectory temp = new();
        QemuTools.Img("create", "-f", "vmdk", temp["base.vmdk"], "1G");
        QemuTools.Img("create", "-f", "vmdk", "-b", "base.vmdk", "-F", "vmdk", temp["disk.vmdk"]);
        AssertSameFields(temp["disk.vmdk"]);
        using IImageLayer layer = VmdkImages.Open(temp["disk.vmdk"]);
        Assert.Equal(new BackingReference("base.vmdk", "vmdk"), layer.Backing);
    }

    [SkippableTheory]
    [InlineData(0)]
    [InlineData(20)]
    [InlineData(400)]
    public void A_grain_past_the_end_is_found_by_check(int grain)
    {
        QemuTools.Require();
        using TempDirectory temp = new();
        QemuTools.Img("create", "-f", "vmdk", temp["disk.vmdk"], "64M");
        SparseLayout layout = new(64 << 20);
        using (IBlockFile file = VmdkImages.Local.Open(temp["disk.vmdk"], OpenMode.ReadWrite))
        {
            file.Write(layout.TableOffset(0) + (grain * 4L), [0xFF, 0xFF, 0xFF, 0x7F]);
        }

        ToolResult theirs = QemuTools.TryImg("check", temp["disk.vmdk"]);
        using IImageLayer layer = VmdkImages.Open(temp["disk.vmdk"]);
        CheckReport report = ((ICheckable)layer).Check(CheckRepair.None);
        Assert.Equal(1, theirs.ExitCode);
        Assert.Equal(theirs.Error, $"{Assert.Single(report.Messages)}\nqemu-img: Check failed: {report.Failure}\n");
        Assert.Equal(1, report.Corruptions);
        Assert.Equal(ImageErrorKind.Unsupported, VmdkImages.Fails(() => ((ICheckable)layer).Check(CheckRepair.All)).Kind);
    }

    [SkippableTheory]
    [InlineData("KDMV")]
    [InlineData("COWD")]
    [InlineData("KDMW")]
    [InlineData("VMD")]
    [InlineData("version=1\n")]
    [InlineData("version=3\r\n")]
    [InlineData("version=4\n")]
    [InlineData("version=1")]
    [InlineData("version=1 \n")]
    [InlineData("# Disk DescriptorFile\nversion=2\nCID=1\n")]
    [InlineData("# Disk DescriptorFile\r\nversion=2\r\nCID=1\r\n")]
    [InlineData("#\n#\n  \nversion=1\n")]
    [InlineData("#\n  \r\nversion=1\n")]
    [InlineData("\nversion=1\n")]
    [InlineData(" version=1\n")]
    [InlineData("# only comments\n#\n")]
    [InlineData("# no line end")]
    [InlineData("    ")]
    [InlineData("CID=1\nversion=1\n")]
    public void Probing_agrees_with_qemu_img(string head)
    {
        QemuTools.Require();
        using TempDirectory temp = new();
        File.WriteAllText(temp["disk"], head);
        ToolResult theirs = QemuTools.TryImg("info", temp["disk"]);
        bool isVmdk = theirs.ExitCode != 0 || theirs.Output.Contains("file format: vmdk", StringComparison.Ordinal);
        Assert.Equal(isVmdk ? 100 : 0, new VmdkFormat().Probe(File.ReadAllBytes(temp["disk"]), "disk"));
    }

    private static void AssertSameFields(string path)
    {
        using JsonDocument theirs = JsonDocument.Parse(QemuTools.Img("info", "--output=json", path));
        JsonElement specific = theirs.RootElement.GetProperty("format-specific");
        using IImageLayer layer = VmdkImages.Open(path);
        FormatSpecificInfo ours = layer.DescribeSpecific()!;
        Assert.Equal(specific.GetProperty("type").GetString(), ours.Type);
        AssertSame(specific.GetProperty("data"), ours);
        IImageStatus status = (IImageStatus)layer;
        Assert.Equal(theirs.RootElement.GetProperty("actual-size").GetInt64(), status.AllocatedBytes);
        Assert.Equal(theirs.RootElement.TryGetProperty("cluster-size", out JsonElement size) ? size.GetInt64() : 0, status.ClusterSize);
    }

    private static void AssertSame(JsonElement theirs, FormatSpecificInfo ours)
    {
        Assert.Equal(theirs.EnumerateObject().Select(static field => field.Name).Order(), ours.Fields.Select(static field => field.Key).Order());
        foreach ((string name, object value) in ours.Fields)
        {
            JsonElement field = theirs.GetProperty(name);
            switch (value)
            {
                case long number:
                    Assert.Equal(field.GetInt64(), number);
                    break;
                case bool flag:
                    Assert.Equal(field.GetBoolean(), flag);
                    break;
                case string text:
                    Assert.Equal(field.GetString(), text);
                    break;
                default:
                    FormatSpecificInfo[] list = [.. (IEnumerable<FormatSpecificInfo>)value];
                    Assert.Equal(field.GetArrayLength(), list.Length);
                    for (int i = 0; i < list.Length; i++)
                    {
                        AssertSame(field[i], list[i]);
                    }

                    break;
            }
        }
    }
}
