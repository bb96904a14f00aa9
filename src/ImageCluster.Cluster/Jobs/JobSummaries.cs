using ImageCluster.Cluster.Messages;
using ImageCluster.Imaging.Formats.Filling;
using ImageCluster.Jobs.Execution;

namespace ImageCluster.Cluster.Jobs;

/// <summary>What a job's record looks like to others.</summary>
internal static class JobSummaries
{
    private const int MaxTroubles = 100;
    private const int MaxManifests = 500;

    /// <param name="status">Why it does not go on just now, or empty.</param>
    public static JobSummary Of(JobState state, string status) => new()
    {
        JobId = state.Id,
        Migration = state.Settings.Migration,
        Operation = state.Spec!.Operation,
        Phase = state.Phase,
        IsPaused = state.Paused,
        Outcome = state.HasEnded ? state.End!.Outcome : null,
        Reason = state.End is { Reason.Length: > 0 } end ? end.Reason : state.HasEnded ? "" : state.Paused ? $"paused by {state.PausedBy}" : status,
        Priority = state.Settings.Priority,
        SubmittedAt = state.SubmittedAt,
        EndedAt = state.HasEnded ? state.End!.At : null,
        Stage = state.Stage,
        Shards = state.StageShards,
        ShardsDone = state.HasEnded ? 0 : state.Completed.Count,
        ShardsInWork = state.ShardsInWork,
        BytesRead = state.BytesRead,
        BytesWritten = state.BytesWritten,
        Digest = state.Digest,
        FirstDifference = state.FirstDifference,
        Uses = state.Uses,
    };

    public static JobDescription Describe(JobState state, string status) => new(
        state.Id,
        Of(state, status),
        state.Spec!,
        state.Settings,
        [.. state.Assignments.Values.Select(assignment => new JobAssignment(assignment.Token, assignment.Worker, assignment.Shards.Count, assignment.StartedAt))],
        [.. state.Troubles.Take(MaxTroubles).Select(pair => new JobTrouble(pair.Key, pair.Value))],
        state.Finding);

    /// <summary>What lies where of the shards that were copied, from one on: as many as fit a message.</summary>
    public static CopiedShards CopiedFrom(JobState state, long from)
    {
        ShardManifest[] manifests =
        [
            .. state.Copied.Values.Where(shard => shard.Result.Shard >= from).Select(shard => shard.Result.Manifest).OfType<ShardManifest>().Take(MaxManifests + 1),
        ];
        return new CopiedShards(state.Id, [.. manifests.Take(MaxManifests)], manifests.Length > MaxManifests ? manifests[^1].Shard : null);
    }
}
