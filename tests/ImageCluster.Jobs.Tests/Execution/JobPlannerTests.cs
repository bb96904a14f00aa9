using ImageCluster.Jobs.Execution;
using ImageCluster.Jobs.Images;
using ImageCluster.Jobs.Manifests;

namespace ImageCluster.Jobs.Tests.Execution;

public class JobPlannerTests
{
    private const long Mebibyte = 1 << 20;
    private static readonly ImageName A = new("vm", "a");
    private static readonly ImageName B = new("vm", "b");

    [Theory]
    [InlineData(VerifyMode.Compare, "Create 1, Copy 3, Finish 1, Verify 3, Install 1")]
    [InlineData(VerifyMode.None, "Create 1, Copy 3, Finish 1, Install 1")]
    public void A_convert_and_its_steps(VerifyMode verify, string steps)
    {
        JobPlan plan = JobPlanner.Plan(Convert(verify), new JobGeometry(1024 * Mebibyte + 1, 512 * Mebibyte, ShardsIndependent: true));
        AssertSteps(steps, plan);
        Assert.True(plan.CleanUp);
        Assert.Equal(new Range64(1024 * Mebibyte, 1024 * Mebibyte + 1), plan.RangeOf(2));
    }

    [Theory]
    [InlineData(512 * Mebibyte, false)]
    [InlineData(2147418112, true)]
    public void What_cannot_be_cut_is_one_shard(long shardLength, bool independent)
    {
        JobPlan plan = JobPlanner.Plan(Convert(VerifyMode.None), new JobGeometry((1L << 40) + 5, shardLength, independent));
        AssertSteps("Create 1, Copy 1, Finish 1, Install 1", plan);
        Assert.Equal(new Range64(0, (1L << 40) + 5), plan.RangeOf(0));
    }

    [Fact]
    public void The_other_operations()
    {
        var geometry = new JobGeometry(1025 * Mebibyte, 64 * Mebibyte, ShardsIndependent: true);
        AssertSteps("Compare 3", JobPlanner.Plan(new CompareSpec { First = A, Second = B }, geometry));
        AssertSteps("Merge 17, Finish 1, Empty 1", JobPlanner.Plan(new CommitSpec { Top = A }, geometry));
        AssertSteps("Merge 17, Finish 1", JobPlanner.Plan(new CommitSpec { Top = A, KeepTop = true }, geometry));
        AssertSteps("Merge 17, Finish 1, Relink 1", JobPlanner.Plan(new RebaseSpec { Image = A, Backing = B }, geometry));
        Assert.False(JobPlanner.Plan(new CommitSpec { Top = A }, geometry).CleanUp);
        JobGeometry room = geometry with { TakesRoom = true };
        AssertSteps("Prepare 1, Merge 17, Finish 1, Empty 1", JobPlanner.Plan(new CommitSpec { Top = A }, room));
        AssertSteps("Prepare 1, Merge 17, Finish 1", JobPlanner.Plan(new CommitSpec { Top = A, KeepTop = true }, room));
        AssertSteps("Prepare 1, Merge 17, Finish 1, Relink 1", JobPlanner.Plan(new RebaseSpec { Image = A, Backing = B }, room));
        Assert.True(JobPlanner.Plan(new RebaseSpec { Image = A, Backing = B }, room).CleanUp);
        AssertSteps("Change 1", JobPlanner.Plan(new ChangeSpec { Image = A, Change = UsePurpose.Resize }, geometry));
        JobPlan create = JobPlanner.Plan(new ChangeSpec { Image = A, Change = UsePurpose.Create }, geometry);
        AssertSteps("Create 1, Install 1", create);
        Assert.True(create.CleanUp);
        AssertSteps("Relink 1", JobPlanner.Plan(new RebaseSpec { Image = A, Backing = B, Unsafe = true }, geometry));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(long.MaxValue)]
    public void Extreme_disks(long size)
    {
        foreach (bool independent in (bool[])[true, false])
        {
            JobPlan plan = JobPlanner.Plan(Convert(VerifyMode.None), new JobGeometry(size, 1L << 40, independent));
            Assert.Null(plan.Problem);
            Assert.Equal(size, plan.RangeOf(plan.Stages[1].Shards - 1).End);
        }
    }

    private static void AssertSteps(string expected, JobPlan plan)
    {
        Assert.Null(plan.Problem);
        Assert.Equal(expected, string.Join(", ", plan.Stages.Select(stage => $"{stage.Kind} {stage.Shards}")));
    }

    private static ConvertSpec Convert(VerifyMode verify) => new() { Source = A, Target = B, TargetFormat = "qcow2", Verify = verify };
}
