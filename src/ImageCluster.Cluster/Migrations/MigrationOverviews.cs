using System.Collections.Immutable;
using ImageCluster.Cluster.Messages;
using ImageCluster.Jobs.Migrations;

namespace ImageCluster.Cluster.Migrations;

/// <summary>What a migration's record looks like to others.</summary>
internal static class MigrationOverviews
{
    /// <summary>The place of the job that gathers among the jobs of images.</summary>
    public const int Gathering = -1;

    private const int MaxRunning = 100;

    /// <param name="progress">What jobs in work said last, by image.</param>
    public static MigrationOverview Of(MigrationState state, IReadOnlyDictionary<int, JobSummary> progress)
    {
        MigrationSummary numbers = state.Summarize();
        (int Index, JobSummary Job)[] running = [.. progress.Where(pair => state.Running.Contains(pair.Key)).Select(pair => (pair.Key, pair.Value))];
        return new MigrationOverview
        {
            MigrationId = state.Id,
            Name = state.Name,
            Phase = state.Phase,
            SubmittedBy = state.SubmittedBy,
            SubmittedAt = state.SubmittedAt,
            EndedAt = state.HasEnded ? state.EndedAt : null,
            Numbers = numbers with
            {
                DoneBytes = numbers.DoneBytes + running.Sum(entry => Math.Min(entry.Job.BytesRead, state.Images[entry.Index].AllocatedBytes)),
                BytesRead = numbers.BytesRead + running.Sum(entry => entry.Job.BytesRead),
                BytesWritten = numbers.BytesWritten + running.Sum(entry => entry.Job.BytesWritten),
            },
            Reasons = state.CancelledBy.Length > 0 ? [.. state.Refusals, $"cancelled by {state.CancelledBy}"]
                : state.Phase == MigrationPhase.Planning && progress.GetValueOrDefault(Gathering) is { Reason.Length: > 0 } gathering ? [.. state.Refusals, gathering.Reason]
                : state.Refusals,
        };
    }

    public static MigrationDescription Describe(MigrationState state, IReadOnlyDictionary<int, JobSummary> progress) => new(
        state.Id,
        Of(state, progress),
        [.. state.Running.Values().Take(MaxRunning).Select(index => Image(state, state.Images[(int)index], progress))]);

    public static MigrationImages List(MigrationState state, IReadOnlyDictionary<int, JobSummary> progress, ListMigrationImages query)
    {
        ImmutableList<MigratedImage> fitting = query.Progress is { } wanted ? [.. state.Images.Where(image => image.Progress == wanted)] : state.Images;
        return new MigrationImages(
            state.Id,
            [.. fitting.Skip(Math.Max(0, query.Offset)).Take(Math.Clamp(query.Limit, 1, ListPart.MaxLimit)).Select(image => Image(state, image, progress))],
            fitting.Count);
    }

    private static MigrationImage Image(MigrationState state, MigratedImage image, IReadOnlyDictionary<int, JobSummary> progress) => new(
        image, image.Attempt == 0 ? "" : state.JobIdOf(image), state.Running.Contains(image.Index) ? progress.GetValueOrDefault(image.Index) : null);
}
