using ImageCluster.Cli.Journal;
using ImageCluster.Cli.Progress;
using ImageCluster.Jobs.Manifests;
using ImageCluster.Work;
using ImageCluster.Work.Gathering;
using ImageCluster.Work.Roots;

namespace ImageCluster.Cli.Migrating;

/// <summary>What the images of one run share.</summary>
internal sealed class MigrationContext
{
    public required MigrationManifest Manifest { get; init; }

    public required RootMap Roots { get; init; }

    public required SourceInspector Inspector { get; init; }

    public required MigrationJournal Journal { get; init; }

    public required ProgressBoard Board { get; init; }

    public required TimeProvider Time { get; init; }

    /// <summary>Limits what the whole run reads; null for none.</summary>
    public required RateLimiter? Limiter { get; init; }

    /// <summary>Limits of single roots.</summary>
    public required IReadOnlyDictionary<string, RateLimiter> RootLimiters { get; init; }

    /// <summary>Threads of each image.</summary>
    public required int Threads { get; init; }

    /// <summary>Who does the work, as the journal names it.</summary>
    public string Worker { get; } = $"{Environment.MachineName}:{Environment.ProcessId}";
}
