using ImageCluster.Imaging;
using ImageCluster.Jobs.Execution;
using ImageCluster.Jobs.Migrations;
using ImageCluster.Testing.Archives;
using ImageCluster.Testing.Qemu;
using ImageCluster.Work.Gathering;
using ImageCluster.Work.Roots;
using ImageCluster.Work.Running;
using ImageCluster.Work.Tests.Support;

namespace ImageCluster.Work.Tests.Running;

public sealed class GatherRunnerTests : IDisposable
{
    private readonly WorkLab _lab = new();

    public void Dispose() => _lab.Dispose();

    [SkippableFact]
    public void Images_come_in_parts_numbered_on_each_behind_its_base()
    {
        QemuTools.Require();
        for (int i = 0; i < 450; i++)
        {
            File.WriteAllBytes(_lab[$"in/disk{i:000}.raw"], new byte[512]);
        }

        QemuTools.Img("create", "-f", "qcow2", "-b", "disk007.raw", "-F", "raw", _lab["in/a-top.qcow2"]);
        List<GatheredPart> parts = Gather("backing: keep");
        Assert.Equal([(0, 200, false), (200, 200, false), (400, 51, true)], parts.Select(part => (part.From, part.Images.Count, part.IsLast)));
        Assert.All(parts, part => Assert.Empty(part.Refusals));
        MigratedImage[] images = [.. parts.SelectMany(part => part.Images)];
        Assert.Equal(Enumerable.Range(0, 451), images.Select(image => image.Index));
        MigratedImage top = images.Single(image => image.Source.Path == "a-top.qcow2");
        Assert.Equal("disk007.raw", images[top.Base].Source.Path);
        Assert.True(top.Base < top.Index);
        Assert.Equal(("qcow2", "in:disk007.raw", "out:disk007.qcow2"), (top.SourceFormat, images[top.Base].Source.ToString(), images[top.Base].Target!.ToString()));
        Assert.All(images, image => Assert.Equal(ImageProgress.Waiting, image.Progress));
    }

    [Fact]
    public void Nothing_selected_is_one_empty_part()
    {
        GatheredPart part = Assert.Single(Gather(""));
        Assert.Empty(part.Images);
        Assert.True(part.IsLast);
    }

    [Fact]
    public void What_must_not_start_says_why()
    {
        Directory.CreateDirectory(_lab["in/x"]);
        File.WriteAllBytes(_lab["in/a.raw"], new byte[512]);
        File.WriteAllBytes(_lab["in/x/a.raw"], new byte[512]);
        GatheredPart part = Assert.Single(Gather("name: \"one.qcow2\""));
        Assert.True(part.IsLast);
        Assert.Empty(part.Images);
        Assert.Contains("out:one.qcow2", Assert.Single(part.Refusals), StringComparison.Ordinal);
    }

    [Fact]
    public void Of_many_reasons_the_first_are_said_and_how_many_there_are()
    {
        for (int i = 0; i < 150; i++)
        {
            File.WriteAllBytes(_lab[$"in/disk{i:000}.raw"], new byte[512]);
        }

        GatheredPart part = Assert.Single(Gather("name: \"one.qcow2\""));
        Assert.Equal(101, part.Refusals.Count);
        Assert.Equal("and 49 more", part.Refusals[^1]);
    }

    [Fact]
    public void An_appliance_whose_disks_have_names_that_none_may_have_stops_no_other_image()
    {
        File.WriteAllBytes(_lab["in/good.raw"], new byte[512]);
        File.WriteAllBytes(_lab["in/x.ova"], OvaBuilder.Ova(("../a.raw", new byte[512]), ("../b.raw", new byte[512]), ("/c.raw", new byte[512])));
        MigratedImage[] images = [.. Gather("").SelectMany(part => part.Images)];
        Assert.Equal(4, images.Select(image => image.Source).Distinct().Count());
        Assert.Equal("in:good.raw", Assert.Single(images, image => image.Progress == ImageProgress.Waiting).Source.ToString());
        Assert.Equal(3, images.Count(image => image.Progress == ImageProgress.Refused && image.Reason.StartsWith("the disk's name ", StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData("in", "elsewhere", "does not reach the root 'elsewhere'")]
    [InlineData("./in", "out", "'./in' is a directory; in a cluster a root is a name")]
    [InlineData("in", "s3://bucket/disks", "'s3://bucket/disks' is an address; in a cluster a root is a name")]
    public void Roots_are_names_that_the_node_knows(string source, string target, string message) => Assert.Contains(message,
        Assert.Throws<ImageException>(() => Run(source, target, "", [])).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("s3://bucket/disks")]
    [InlineData("nbd://host")]
    [InlineData("nbd+unix://?socket=/run/nbd.sock")]
    [InlineData("https://host/disks")]
    [InlineData("/dev/vg0")]
    public void Targets_on_servers_stores_and_devices_are_refused_while_it_is_planned(string target)
    {
        File.WriteAllBytes(_lab["in/a.raw"], new byte[512]);
        ImageException e = Assert.Throws<ImageException>(() => Run("in", "out", "", [], new Dictionary<string, string>(_lab.Roots) { ["out"] = target }));
        Assert.Equal((ImageErrorKind.Unsupported, $"The targets' root 'out' is {target} on this node: a cluster writes targets to directories only"), (e.Kind, e.Message));
        Assert.Equal("'imagecluster migrate' on one machine writes to servers, stores and devices", e.Hint);
    }

    [Fact]
    public void A_manifest_that_cannot_be_read_is_said_so() => Assert.StartsWith("The manifest cannot be read: ",
        Assert.Throws<ImageException>(() => Run("in", "out", "nonsense: 1", [])).Message, StringComparison.Ordinal);

    private List<GatheredPart> Gather(string target)
    {
        List<GatheredPart> parts = [];
        Run("in", "out", target, parts);
        return parts;
    }

    private void Run(string source, string root, string target, List<GatheredPart> parts, IReadOnlyDictionary<string, string>? roots = null)
    {
        string manifest = $"version: 1\nname: m\nsources:\n  - {{ root: {source}, include: ['**/*.raw', '*.qcow2'] }}\ntarget:\n  root: {root}\n  format: qcow2\n  {target}\n";
        var spec = new GatherSpec { Migration = "m", Manifest = manifest, UsedRoots = ["in", "out"] };
        new ShardRunner(new RootMap(roots ?? _lab.Roots)).Run(new WorkTask("j", StageKind.Gather, spec, null, null), 0, Scopes.Of() with { TellImages = parts.Add });
    }
}
