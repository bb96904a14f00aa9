using ImageCluster.Jobs.Manifests;

namespace ImageCluster.Cli.Migrating;

/// <summary>What <c>imagecluster migrate</c> was asked for.</summary>
internal sealed record MigrateRequest
{
    public required MigrationManifest Manifest { get; init; }

    /// <summary>What relative directories of the manifest are relative to.</summary>
    public required string BaseDirectory { get; init; }

    /// <summary>Directories beyond the manifest's roots in which files of a chain may lie.</summary>
    public IReadOnlyList<string> AllowedRoots { get; init; } = [];

    /// <summary>A directory with passwords of encrypted images, a file each; null for none.</summary>
    public string? SecretsDirectory { get; init; }

    /// <summary>A backing file whose format is not stated is probed instead of refused.</summary>
    public bool ProbeBacking { get; init; }

    /// <summary>The target root is created where it is not there.</summary>
    public bool CreatesTargetRoot { get; init; }

    /// <summary>Where the journal and the report go; null for the target root, or <see cref="BaseDirectory"/> where that is no directory.</summary>
    public string? StateDirectory { get; init; }

    /// <summary>What earlier runs of the migration left unfinished is thrown away first.</summary>
    public bool Restart { get; init; }

    /// <summary>A second place for the report in JSON; null for none.</summary>
    public string? ReportFile { get; init; }
}
