using ImageCluster.Cluster.Messages;
using ImageCluster.Cluster.Tests.Support;
using ImageCluster.Jobs;
using ImageCluster.Jobs.Execution;
using ImageCluster.Jobs.Manifests;
using ImageCluster.Testing.Qemu;
using ImageCluster.Testing.Storage;
using ImageCluster.Work.Roots;
using ImageCluster.Work.Running;

namespace ImageCluster.Cluster.Tests.Jobs;

/// <summary>Whole jobs on real images: a coordinator and a worker in one process, a journal in SQLite.</summary>
public sealed class WholeJobTests : IDisposable
{
    private readonly TempDirectory _directory = new();
    private readonly Dictionary<string, string> _roots;

    public WholeJobTests()
    {
        _roots = new Dictionary<string, string> { ["in"] = _directory["in"], ["out"] = _directory["out"] };
        Directory.CreateDirectory(_directory["in"]);
        Directory.CreateDirectory(_directory["out"]);
    }

    public void Dispose() => _directory.Dispose();

    [SkippableTheory]
    [InlineData("qcow2", VerifyMode.Compare)]
    [InlineData("raw", VerifyMode.Digest)]
    public async Task A_convert_ends_in_an_equal_image_and_gives_everything_back(string format, VerifyMode verify)
    {
        QemuTools.Require();
        Raw("in/a.raw", 3 << 20, 1);
        await using TestNode node = await StartAsync();
        await node.SubmitAsync("j", Spec("a.raw", "b.img", format) with { Verify = verify });
        JobDescription end = await node.JobEndAsync("j");
        Assert.Equal(("succeeded", ""), (end.Summary.State, end.Summary.Reason));
        QemuTools.Img("compare", "-f", "raw", "-F", format, _directory["in/a.raw"], _directory["out/b.img"]);
        ImageDescription target = await TestNode.AskAsync<ImageDescription>(node.Images, new DescribeImage(new ImageName("out", "b.img")));
        Assert.Empty(target.Users);
        Assert.Equal("j", target.FinishedBy);
        Assert.Equal(end.Summary.Digest, target.Digest);
        Assert.StartsWith("sha256t:", target.Digest, StringComparison.Ordinal);
        JobPage page = await TestNode.UntilAsync(
            () => TestNode.AskAsync<JobPage>(node.Directory, new ListJobs(new ListPart("succeeded", 0, 10), "")), page => page.Total == 1, _ => "not listed");
        Assert.Equal("j", Assert.Single(page.Jobs).JobId);
        Assert.Equal(0, (await TestNode.AskAsync<ImagePage>(node.Directory, new ListImages(new ListPart("", 0, 10), ""))).Total);
    }

    private void Raw(string name, int length, int seed) => File.WriteAllBytes(_directory[name], GuestContent.Make(length, seed));

    private static ConvertSpec Spec(string source, string target, string format) => new()
    {
        Source = new ImageName("in", source),
        SourceFormat = "raw",
        Target = new ImageName("out", target),
        TargetFormat = format,
    };

    private Task<TestNode> StartAsync() => TestNode.StartAsync(_directory["journal.db"], roots: _roots, runner: new ShardRunner(new RootMap(_roots)));
}
