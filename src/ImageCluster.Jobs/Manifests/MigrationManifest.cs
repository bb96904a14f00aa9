namespace ImageCluster.Jobs.Manifests;

/// <summary>
/// What a migration is to do, as the user wrote it (docs/manifest.md). The same manifest serves one machine and a cluster. Read
/// with <see cref="ManifestParser"/>, written with <see cref="ManifestWriter"/>.
/// </summary>
public sealed record MigrationManifest
{
    /// <summary>The version of the manifest that this program reads and writes.</summary>
    public const int CurrentVersion = 1;

    public const int MaxNameLength = 100;

    public const int MaxPriority = 100;

    public const int DefaultPriority = 50;

    public required string Name { get; init; }

    /// <summary>Directories of named roots on this machine. A cluster's nodes know their own and leave these aside.</summary>
    public IReadOnlyDictionary<string, string> Roots { get; init; } = new SortedDictionary<string, string>(StringComparer.Ordinal);

    /// <summary>One or more.</summary>
    public required IReadOnlyList<SourceSelection> Sources { get; init; }

    public required TargetDefinition Target { get; init; }

    public VerifyMode Verify { get; init; }

    /// <summary>The guest's bytes of each image are hashed on the way, and the digest recorded.</summary>
    public bool TakesDigest { get; init; } = true;

    public Parallelism Parallel { get; init; } = new();

    /// <summary>Limit of the whole migration on what is read from sources; null for none.</summary>
    public ByteRate? Rate { get; init; }

    /// <summary>0 (last) to <see cref="MaxPriority"/> (first) among the cluster's migrations.</summary>
    public int Priority { get; init; } = DefaultPriority;

    public MigrationLimits Limits { get; init; } = new();

    /// <summary>Every root that a source or the target uses, each once, in the order of use.</summary>
    public IEnumerable<RootReference> UsedRoots => Sources.Select(source => source.Root).Append(Target.Root).Distinct();
}
