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

    /// <summary>Threads of each image, where no limit of its own says less.</summary>
    public required int Threads { get; init; }

    /// <summary>Images at a time.</summary>
    public required int Images { get; init; }

    /// <summary>Who does the work, as the journal names it.</summary>
    public string Worker { get; } = $"{Environment.MachineName}:{Environment.ProcessId}";

    /// <summary>
    /// Threads of an image of a root, <paramref name="wished"/> at most: here a thread is what a shard in work is on a cluster, so the manifest's limits of
    /// shards are kept by both.
    /// </summary>
    public int ThreadsFor(string sourceRoot, int wished) => new[] { wished, ShardsOf(sourceRoot), ShardsOf(Manifest.Target.Root.Text), ShardsOfImage }.Min();

    /// <summary>Images at a time that a root has room for; null where it has no limit.</summary>
    public int? ImagesOn(string root) => Manifest.Limits.Roots.GetValueOrDefault(root)?.Shards is { } shards ? Math.Max(1, shards / Math.Min(shards, Threads)) : null;

    private int ShardsOfImage => Math.Min(Manifest.Limits.ShardsPerImage ?? int.MaxValue, Manifest.Limits.Shards is { } shards ? Math.Max(1, shards / Images) : int.MaxValue);

    private int ShardsOf(string root) => Manifest.Limits.Roots.GetValueOrDefault(root)?.Shards ?? int.MaxValue;
}
