using System.Collections.Immutable;
using System.Globalization;
using ImageCluster.Cluster.Hosting;
using ImageCluster.Jobs;
using ImageCluster.Jobs.Execution;
using ImageCluster.Jobs.Manifests;
using ImageCluster.Jobs.Migrations;

namespace ImageCluster.Cluster.Migrations;

/// <summary>The jobs of a migration: what its manifest makes of each image.</summary>
internal sealed class MigrationJobs(string migrationId, MigrationManifest manifest, ImageClusterSettings settings)
{
    /// <summary>Images at a time.</summary>
    public int MaxRunning { get; } = manifest.Parallel.Images ?? settings.ImagesAtATime;

    /// <summary>The job that looks for the images.</summary>
    public static string GatherJobId(string migrationId) => $"{migrationId}.gather";

    /// <summary>Reads what <see cref="MigrationState.JobIdOf"/> made; false for the job that looks for images, and for others.</summary>
    public static bool TryParse(string migrationId, string jobId, out int index, out int attempt)
    {
        (index, attempt) = (0, 0);
        string[] parts = jobId.StartsWith($"{migrationId}.", StringComparison.Ordinal) ? jobId[(migrationId.Length + 1)..].Split('.') : [];
        return parts.Length == 2 && int.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out index) &&
            int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out attempt);
    }

    /// <summary>Why a cluster cannot do it, or null: roots are names there, which each node maps to a directory of its own.</summary>
    public static string? Problem(MigrationManifest manifest) =>
        manifest.UsedRoots.FirstOrDefault(root => !root.IsName) is { Text: not null } root
            ? $"'{root}' is {root.Kind}; in a cluster a root is a name that the nodes know"
            : null;

    public SubmitJob Gather(string text) => new(
        GatherJobId(migrationId), default,
        new GatherSpec
        {
            Migration = migrationId,
            Manifest = text,
            UsedRoots = manifest.UsedRoots.Select(root => root.Text).ToImmutableSortedSet(StringComparer.Ordinal),
        },
        new JobSettings { Priority = manifest.Priority, Migration = migrationId });

    public SubmitJob Convert(MigrationState state, MigratedImage image) => new(state.JobIdOf(image), default, SpecOf(state, image), SettingsOf());

    private ConvertSpec SpecOf(MigrationState state, MigratedImage image) => new()
    {
        Source = image.Source,
        SourceFormat = image.SourceFormat,
        Target = image.Target!,
        TargetFormat = manifest.Target.Format,
        Options = manifest.Target.Options.ToImmutableSortedDictionary(StringComparer.Ordinal),
        Compress = manifest.Target.Compress,
        Backing = image.Base < 0 ? null : state.Images[image.Base].Target,
        BackingFormat = image.Base < 0 ? "" : manifest.Target.Format,
        Replace = manifest.Target.Existing == ExistingTarget.Replace,
        Verify = manifest.Verify,
        TakesDigest = manifest.TakesDigest,
        Secrets = SecretsOf(state, image),
    };

    private ImmutableSortedDictionary<ImageName, string> SecretsOf(MigrationState state, MigratedImage image)
    {
        var secrets = new Dictionary<ImageName, string>();
        if (image.SourceSecret.Length > 0)
        {
            secrets[image.Source] = image.SourceSecret;
        }

        if (manifest.Target.Secret is { } target)
        {
            secrets[image.Target!] = target;
            if (image.Base >= 0)
            {
                secrets[state.Images[image.Base].Target!] = target;
            }
        }

        return secrets.ToImmutableSortedDictionary();
    }

    private JobSettings SettingsOf()
    {
        ImmutableSortedDictionary<string, int>.Builder limits = ImmutableSortedDictionary.CreateBuilder<string, int>(StringComparer.Ordinal);
        if (manifest.Limits.Shards is { } shards)
        {
            limits.Add(migrationId, shards);
        }

        ImmutableSortedDictionary<string, SharedRate>.Builder rates = ImmutableSortedDictionary.CreateBuilder<string, SharedRate>(StringComparer.Ordinal);
        if (manifest.Rate is { } whole)
        {
            rates.Add(migrationId, new SharedRate(whole.BytesPerSecond));
        }

        foreach ((string root, RootLimit limit) in manifest.Limits.Roots)
        {
            if (limit.Shards is { } tasks)
            {
                limits.Add($"{migrationId}/{root}", tasks);
            }

            if (limit.Rate is { } rate)
            {
                rates.Add($"{migrationId}/{root}", new SharedRate(rate.BytesPerSecond, root));
            }
        }

        return new JobSettings
        {
            Priority = manifest.Priority,
            MaxShards = manifest.Limits.ShardsPerImage ?? 0,
            Migration = migrationId,
            SharedLimits = limits.ToImmutable(),
            SharedRates = rates.ToImmutable(),
        };
    }
}
