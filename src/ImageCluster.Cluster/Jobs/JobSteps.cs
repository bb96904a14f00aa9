using ImageCluster.Jobs;
using ImageCluster.Jobs.Contracts;
using ImageCluster.Jobs.Execution;
using ImageCluster.Jobs.Images;

namespace ImageCluster.Cluster.Jobs;

/// <summary>
/// Finds the next step of a job from its record and from what is known since the actor's start. Pure. Nothing of what is only in memory must be
/// remembered: each step can be taken again.
/// </summary>
internal static class JobSteps
{
    /// <param name="state">The job.</param>
    /// <param name="hasLeases">The leases that are noted are known to hold.</param>
    /// <param name="fillStarted">The target's record expects the step's shards.</param>
    /// <param name="fillClosed">The target's record knows every shard, and no room is open.</param>
    public static JobStep Next(JobState state, bool hasLeases, bool fillStarted, bool fillClosed)
    {
        if (state.Spec is null || state.IsClosed)
        {
            return new JobStep.Rest();
        }

        if (state.HasEnded)
        {
            return new JobStep.Release(StandsAfter(state));
        }

        if (state.End is not null)
        {
            return new JobStep.Offer();
        }

        if (state.Plan is null)
        {
            return Planning(state, hasLeases);
        }

        if (!hasLeases && !state.Uses.IsEmpty)
        {
            return new JobStep.Take(Wanted(state, out _), ChainsOf(state));
        }

        return state.Stage switch
        {
            StageKind.Copy or StageKind.Merge when !fillStarted && TargetOf(state) is { } target => new JobStep.StartFill(target, LayoutOf(state)),
            StageKind.Finish when !fillClosed && TargetOf(state) is { } target => new JobStep.CloseFill(target),
            _ => new JobStep.Offer(),
        };
    }

    /// <summary>The lease of the image that shards are written to, or null.</summary>
    public static JobUse? TargetOf(JobState state) => state.Uses.Find(use => UseRule.IsSharded(use.Purpose));

    /// <summary>Where shards get room: as the target was created or made ready, or, in an image that was there before, where each byte has its place.</summary>
    public static FillLayout LayoutOf(JobState state)
    {
        long shards = state.Plan!.Stages.Find(stage => stage.Kind is StageKind.Copy or StageKind.Merge)?.Shards ?? 1;
        return state.Layout.Length == 0
            ? new FillLayout { Shards = shards, RoomStart = -1 }
            : FindingsCodec.DecodeLayout(state.Layout) with { Shards = shards };
    }

    /// <summary>What is wrong with what a worker found out, or null: it is looked at before it is stored.</summary>
    public static string? FindingProblem(StageKind stage, IEnumerable<ShardResult> results)
    {
        try
        {
            foreach (ShardResult result in results)
            {
                _ = stage switch
                {
                    StageKind.Probe => FindingsCodec.DecodeProbe(result.Detail).ChainsByImage.Count,
                    StageKind.Prepare => FindingsCodec.DecodeLayout(result.Detail).Shards,
                    StageKind.Create when result.Detail.Length > 0 => FindingsCodec.DecodeLayout(result.Detail).Shards,
                    _ => 0,
                };
            }

            return null;
        }
        catch (Exception e) when (e is ContractException or ArgumentException)
        {
            return e.Message;
        }
    }

    private static JobStep Planning(JobState state, bool hasLeases)
    {
        if (state.Spec is GatherSpec)
        {
            return new JobStep.Plan(JobPlanner.Plan(state.Spec, new JobGeometry(0, JobPlanner.ReadShardLength, true)));
        }

        IReadOnlyList<PlannedUse> wanted = Wanted(state, out string? problem);
        if (problem is not null)
        {
            return new JobStep.Fail(problem);
        }

        bool isNoted = wanted.Select(use => (use.Image, use.Purpose)).SequenceEqual(state.Uses.Select(use => (use.Image, use.Purpose)));
        if (!isNoted || (!hasLeases && wanted.Count > 0))
        {
            return new JobStep.Take(wanted, ChainsOf(state));
        }

        // What was found while other images could still change is looked at again: see ProbeAgain.
        return state.Completed.ContainsKey(0)
            ? new JobStep.Plan(JobPlanner.Plan(state.Spec!, FindingsCodec.DecodeProbe(state.Probed).Geometry))
            : new JobStep.Offer();
    }

    // Before the chains are known: the images that the job names, without what it can only find out by looking.
    private static IReadOnlyList<PlannedUse> Wanted(JobState state, out string? problem)
    {
        problem = null;
        return state.Probed.Length > 0 ? JobUses.Of(state.Spec!, FindingsCodec.DecodeProbe(state.Probed).ChainsByImage, out problem)
            : state.Spec is CommitSpec ? []
            : JobUses.Of(state.Spec!, new Dictionary<ImageName, IReadOnlyList<ImageName>>(), out problem);
    }

    private static IReadOnlyList<(ImageName Base, ImageName Overlay)> ChainsOf(JobState state) => state.Probed.Length == 0
        ? []
        : [.. FindingsCodec.DecodeProbe(state.Probed).Chains.SelectMany(chain => chain.Layers.Zip(chain.Layers.Skip(1), (top, below) => (below.Name, top.Name))).Distinct()];

    private static IReadOnlyList<(ImageName Base, ImageName Overlay, bool Stands)> StandsAfter(JobState state)
    {
        if (state.End is not { Outcome: JobOutcome.Succeeded } || state.Probed.Length == 0)
        {
            return [];
        }

        IReadOnlyDictionary<ImageName, IReadOnlyList<ImageName>> chains = FindingsCodec.DecodeProbe(state.Probed).ChainsByImage;
        ImageName Found(ImageName image) => chains.GetValueOrDefault(image)?[0] ?? image;
        return state.Spec switch
        {
            ConvertSpec { Backing: { } below } convert => [(Found(below), Found(convert.Target), true)],
            ChangeSpec { Backing: { } below } change => [(Found(below), Found(change.Image), true)],
            RebaseSpec rebase =>
            [
                .. chains.GetValueOrDefault(rebase.Image) is { Count: > 1 } chain ? [(chain[1], chain[0], false)] : Array.Empty<(ImageName, ImageName, bool)>(),
                .. rebase.Backing is { } below ? [(Found(below), Found(rebase.Image), true)] : Array.Empty<(ImageName, ImageName, bool)>(),
            ],
            _ => [],
        };
    }
}
