using ImageCluster.Jobs;
using ImageCluster.Jobs.Execution;
using ImageCluster.Jobs.Plans;

namespace ImageCluster.Work.Gathering;

/// <summary>A plan with what the runner needs to carry it out.</summary>
/// <param name="Plan">What would happen.</param>
/// <param name="Found">The files behind the plan's sources.</param>
/// <param name="DoneEarlier">The jobs of images that an earlier run has done.</param>
public sealed record GatheredPlan(
    MigrationPlan Plan, IReadOnlyDictionary<ImageName, FoundSource> Found, IReadOnlyDictionary<ImageName, JobState> DoneEarlier);
