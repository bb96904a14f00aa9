using ImageCluster.Jobs.Execution;
using ImageCluster.Jobs.Images;

namespace ImageCluster.Work.Running;

/// <summary>Shards of a job's step, as whoever runs them must know them.</summary>
/// <param name="JobId">The job.</param>
/// <param name="Stage">The step.</param>
/// <param name="Spec">What the job is to do.</param>
/// <param name="Plan">How it does it; null where the images are still to be looked at (<see cref="StageKind.Probe"/>).</param>
/// <param name="Layout">Of the target's room, as <see cref="StageKind.Create"/> or <see cref="StageKind.Prepare"/> found it; null before that, and for jobs without.</param>
public sealed record WorkTask(string JobId, StageKind Stage, JobSpec Spec, JobPlan? Plan, FillLayout? Layout)
{
    /// <summary>What <see cref="StageKind.Probe"/> found; null where nobody says so.</summary>
    public ProbeFindings? Probed { get; init; }

    /// <summary>By what <see cref="StageKind.Finish"/> left a convert's target to be known (<see cref="Native.FileStamp.Mark"/>); empty where nobody says so.</summary>
    public string FinishedFile { get; init; } = "";

    /// <summary>The plan of a step that has one.</summary>
    internal JobPlan Planned => Plan ?? throw new InvalidOperationException($"The step {Stage} was to be planned.");
}
