using ImageCluster.Jobs.Execution;
using ImageCluster.Jobs.Images;

namespace ImageCluster.Jobs.Tests.Execution;

public class JobUsesTests
{
    private static readonly ImageName Top = new("vm", "top");
    private static readonly ImageName Middle = new("vm", "middle");
    private static readonly ImageName Base = new("vm", "base");
    private static readonly ImageName Target = new("kvm", "target");
    private static readonly ImageName NewBase = new("kvm", "base");

    [Fact]
    public void A_convert_reads_the_chain_and_fills_its_target() => AssertUses(
        new ConvertSpec { Source = Top, Target = Target, TargetFormat = "qcow2" },
        "kvm:target Fill, vm:base Read, vm:middle Read, vm:top Read");

    [Fact]
    public void A_kept_chains_target_comes_behind_its_base() => AssertUses(
        new ConvertSpec { Source = Base, Target = new ImageName("a", "target"), TargetFormat = "qcow2", Backing = NewBase },
        "kvm:base Read, vm:base Read, a:target Fill");

    [Fact]
    public void A_comparison_reads_both_chains() => AssertUses(
        new CompareSpec { First = Top, Second = Base },
        "vm:base Read, vm:middle Read, vm:top Read");

    [Fact]
    public void A_commit_modifies_base_and_top_and_answers_for_what_is_between()
    {
        AssertUses(new CommitSpec { Top = Top }, "vm:base Read, vm:middle Commit via vm:top, vm:top Empty");
        AssertUses(new CommitSpec { Top = Top, Base = Base }, "vm:base Commit via vm:top vm:middle, vm:middle Read via vm:top, vm:top Read");
        AssertUses(new CommitSpec { Top = Top, Base = Middle, KeepTop = true }, "vm:base Read, vm:middle Commit via vm:top, vm:top Read");
    }

    [Fact]
    public void A_rebase_modifies_its_image_and_reads_both_chains()
    {
        AssertUses(new RebaseSpec { Image = Middle, Backing = NewBase }, "kvm:base Read, vm:base Read, vm:middle Rebase");
        AssertUses(new RebaseSpec { Image = Middle }, "vm:base Read, vm:middle Rebase");
        AssertUses(new RebaseSpec { Image = Middle, Backing = NewBase, Unsafe = true }, "vm:middle Relink");
    }

    [Fact]
    public void A_change_modifies_its_image_and_reads_what_a_new_one_stands_on()
    {
        AssertUses(new ChangeSpec { Image = Middle, Change = UsePurpose.Resize, Size = 1 }, "vm:middle Resize");
        AssertUses(new ChangeSpec { Image = Target, Change = UsePurpose.Create, Backing = Middle }, "vm:base Read, vm:middle Read, kvm:target Create");
        AssertProblem(new ChangeSpec { Image = Base, Change = UsePurpose.Create, Backing = Middle }, "vm:base would be created and used for something else");
    }

    [Fact]
    public void What_cannot_be_is_named()
    {
        AssertProblem(new ConvertSpec { Source = Top, Target = Base, TargetFormat = "raw" }, "vm:base would be filled as a target and used for something else");
        AssertProblem(new ConvertSpec { Source = Top, Target = Top, TargetFormat = "raw" }, "vm:top would be filled");
        AssertProblem(new CommitSpec { Top = Base }, "vm:base has no backing file");
        AssertProblem(new CommitSpec { Top = Top, Base = Target }, "kvm:target is not below vm:top");
        AssertProblem(new CommitSpec { Top = Top, Base = Top }, "vm:top is not below vm:top");
        AssertProblem(new RebaseSpec { Image = Base, Backing = Top }, "vm:top stands on vm:base");
    }

    private static void AssertUses(JobSpec spec, string expected)
    {
        IReadOnlyList<PlannedUse> uses = JobUses.Of(spec, Chains, out string? problem);
        Assert.Null(problem);
        Assert.Equal(expected, string.Join(", ", uses.Select(use =>
            $"{use.Image} {use.Purpose}{(use.Via.IsEmpty ? "" : " via " + string.Join(' ', use.Via))}")));
    }

    private static void AssertProblem(JobSpec spec, string expected)
    {
        Assert.Empty(JobUses.Of(spec, Chains, out string? problem));
        Assert.StartsWith(expected, problem);
    }

    private static Dictionary<ImageName, IReadOnlyList<ImageName>> Chains => new()
    {
        [Top] = [Top, Middle, Base],
        [Middle] = [Middle, Base],
        [Base] = [Base],
        [NewBase] = [NewBase],
    };

    [Fact]
    public void An_image_that_a_job_names_twice_has_the_longer_of_its_chains()
    {
        // Compared with itself, as raw and as what it is.
        var image = new ImageName("kvm", "a.qcow2");
        var below = new ImageName("kvm", "base.qcow2");
        var findings = new ProbeFindings
        {
            Geometry = new JobGeometry(1 << 20, 1 << 20, ShardsIndependent: true),
            Chains =
            [
                new ProbedChain(image, [new ProbedImage(image, "raw", 1 << 20)]),
                new ProbedChain(image, [new ProbedImage(image, "qcow2", 1 << 20), new ProbedImage(below, "qcow2", 1 << 20)]),
            ],
        };
        Assert.Equal([image, below], Assert.Single(findings.ChainsByImage).Value);
    }
}
