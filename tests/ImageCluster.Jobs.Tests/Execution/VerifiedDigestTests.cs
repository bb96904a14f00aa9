using ImageCluster.Imaging.Operations;
using ImageCluster.Jobs.Execution;

namespace ImageCluster.Jobs.Tests.Execution;

/// <summary>Where copying took no digest, the one of what was read back is the job's.</summary>
public sealed class VerifiedDigestTests
{
    private const string Id = "job";
    private static readonly Instant At = new(1000);
    private static readonly GuestDigestPart Copied = new(0, 0, GuestHash.Of([1]));
    private static readonly GuestDigestPart ReadBack = new(0, 0, GuestHash.Of([2]));

    [Fact]
    public void TheDigestOfWhatWasReadBackIsKeptToTheEnd()
    {
        JobState ended = Run(copied: null, readBack: ReadBack);
        Assert.Equal(JobOutcome.Succeeded, ended.End!.Outcome);
        Assert.Equal(Text(ReadBack), ended.Digest);
    }

    [Fact]
    public void TheDigestOfCopyingCountsWhereThereIsOne()
    {
        JobState ended = Run(copied: Copied, readBack: null);
        Assert.Equal(JobOutcome.Succeeded, ended.End!.Outcome);
        Assert.Equal(Text(Copied), ended.Digest);
        JobState differs = Run(copied: Copied, readBack: ReadBack);
        Assert.Equal(JobOutcome.Failed, differs.End!.Outcome);
        Assert.Equal(Text(Copied), differs.Digest);
    }

    private static string Text(GuestDigestPart part) => GuestDigest.FromTop(GuestDigest.LeafLength, part.Hash).ToString();

    private static JobState Run(GuestDigestPart? copied, GuestDigestPart? readBack)
    {
        var spec = new ConvertSpec { Source = new ImageName("a", "s"), Target = new ImageName("b", "t"), TargetFormat = "raw" };
        var plan = new JobPlan
        {
            VirtualSize = GuestDigest.LeafLength,
            ShardLength = GuestDigest.LeafLength,
            Stages = [new StagePlan(StageKind.Copy, 1), new StagePlan(StageKind.Verify, 1), new StagePlan(StageKind.Install, 1)],
        };
        JobState state = Do(JobState.New, new SubmitJob(Id, At, spec, JobSettings.Default));
        state = Do(state, new PlanJob(Id, At, plan));
        foreach (GuestDigestPart? part in new[] { copied, readBack, null })
        {
            if (state.HasEnded)
            {
                break;
            }

            state = Do(state, new StartShards(Id, At, "worker", 1, TimeSpan.FromMinutes(1), At + TimeSpan.FromHours(1)));
            var result = new ShardResult { Shard = 0, Digest = part is { } known ? [known] : [] };
            state = Do(state, new CompleteShards(Id, At, state.LastAssignment, [result]));
        }

        return state;
    }

    private static JobState Do(JobState state, JobCommand command)
    {
        Decision<JobEvent> decision = JobRecord.Decide(state, command);
        Assert.Null(decision.Refusal);
        return decision.Events.Aggregate(state, JobRecord.Apply);
    }
}
