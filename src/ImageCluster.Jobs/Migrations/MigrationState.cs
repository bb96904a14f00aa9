using System.Collections.Immutable;

namespace ImageCluster.Jobs.Migrations;

/// <summary>What is known of one migration: the sum of its events.</summary>
public sealed record MigrationState
{
    public static MigrationState New { get; } = new();

    /// <summary>Empty until it is submitted.</summary>
    public string Id { get; init; } = "";

    public string Name { get; init; } = "";

    /// <summary>The manifest's text, as it was submitted.</summary>
    public string Manifest { get; init; } = "";

    public string SubmittedBy { get; init; } = "";

    public Instant SubmittedAt { get; init; }

    /// <summary>By number.</summary>
    public ImmutableList<MigratedImage> Images { get; init; } = [];

    /// <summary>Images that wait, by number.</summary>
    public RangeSet Waiting { get; init; } = RangeSet.Empty;

    /// <summary>Images whose jobs are under way, by number.</summary>
    public RangeSet Running { get; init; } = RangeSet.Empty;

    public bool IsPlanned { get; init; }

    /// <summary>Why the plan was refused; empty where it was not.</summary>
    public ImmutableList<string> Refusals { get; init; } = [];

    public bool IsPaused { get; init; }

    /// <summary>Who cancelled it; empty for nobody.</summary>
    public string CancelledBy { get; init; } = "";

    public bool HasEnded { get; init; }

    public Instant EndedAt { get; init; }

    public MigrationPhase Phase
    {
        get
        {
            if (Id.Length == 0)
            {
                return MigrationPhase.None;
            }

            if (!HasEnded)
            {
                return CancelledBy.Length > 0 ? MigrationPhase.Cancelling
                    : IsPaused ? MigrationPhase.Paused
                    : IsPlanned ? MigrationPhase.Running
                    : MigrationPhase.Planning;
            }

            return !Refusals.IsEmpty ? MigrationPhase.Failed
                : CancelledBy.Length > 0 ? MigrationPhase.Cancelled
                : Images.Any(image => image.Progress is ImageProgress.Failed or ImageProgress.Refused or ImageProgress.Cancelled) ? MigrationPhase.Failed
                : MigrationPhase.Succeeded;
        }
    }

    /// <summary>The id of the job of an image's latest start.</summary>
    public string JobIdOf(MigratedImage image) => $"{Id}.{image.Index}.{image.Attempt}";

    public MigrationSummary Summarize()
    {
        int Count(ImageProgress progress) => Images.Count(image => image.Progress == progress);
        long Sum(Func<MigratedImage, long> bytes) => (long)Int128.Min(long.MaxValue, Images.Aggregate(Int128.Zero, (sum, image) => sum + bytes(image)));
        return new MigrationSummary
        {
            Images = Images.Count,
            Waiting = Count(ImageProgress.Waiting),
            Running = Count(ImageProgress.Running),
            Succeeded = Count(ImageProgress.Succeeded),
            Failed = Count(ImageProgress.Failed),
            Cancelled = Count(ImageProgress.Cancelled),
            Skipped = Count(ImageProgress.Skipped),
            Refused = Count(ImageProgress.Refused),
            PlannedBytes = Sum(image => image.Progress is ImageProgress.Skipped or ImageProgress.Refused ? 0 : image.AllocatedBytes),
            DoneBytes = Sum(image => image.Progress == ImageProgress.Succeeded ? image.AllocatedBytes : 0),
            BytesRead = Sum(image => image.BytesRead),
            BytesWritten = Sum(image => image.BytesWritten),
        };
    }
}
