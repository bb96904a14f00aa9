using ImageCluster.Jobs;
using ImageCluster.Jobs.Execution;
using ImageCluster.Jobs.Images;

namespace ImageCluster.Cluster.Jobs;

/// <summary>What a job has to do next by itself, before its shards can be given out or after they are done.</summary>
internal abstract record JobStep
{
    private JobStep()
    {
    }

    /// <summary>Nothing, or nothing any more.</summary>
    public sealed record Rest : JobStep;

    /// <summary>Nothing is in the way: shards that wait can be given to workers.</summary>
    public sealed record Offer : JobStep;

    /// <summary>The job cannot be done.</summary>
    public sealed record Fail(string Reason) : JobStep;

    public sealed record Plan(JobPlan JobPlan) : JobStep;

    /// <summary>Takes these images, or makes sure of them after a restart.</summary>
    /// <param name="Chains">Who is known to stand on whom.</param>
    public sealed record Take(IReadOnlyList<PlannedUse> Wanted, IReadOnlyList<(ImageName Base, ImageName Overlay)> Chains) : JobStep;

    /// <summary>The target's record is to expect shards.</summary>
    public sealed record StartFill(JobUse Target, FillLayout Layout) : JobStep;

    /// <summary>All is copied: the target's record must know every shard, and no room may be open.</summary>
    public sealed record CloseFill(JobUse Target) : JobStep;

    /// <summary>The job is over: its images are given back.</summary>
    public sealed record Release(IReadOnlyList<(ImageName Base, ImageName Overlay, bool Stands)> Stands) : JobStep;
}
