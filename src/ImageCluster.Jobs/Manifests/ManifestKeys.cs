namespace ImageCluster.Jobs.Manifests;

/// <summary>The keys of each map of a manifest, in the order in which the writer puts them.</summary>
internal static class ManifestKeys
{
    public static readonly IReadOnlyList<string> Manifest =
        ["version", "name", "roots", "sources", "target", "verify", "digest", "parallel", "rate", "priority", "limits"];

    public static readonly IReadOnlyList<string> Source = ["root", "include", "files", "exclude", "format", "secret"];

    public static readonly IReadOnlyList<string> Target = ["root", "name", "format", "options", "secret", "compress", "backing", "existing"];

    public static readonly IReadOnlyList<string> Parallel = ["images", "threads"];

    public static readonly IReadOnlyList<string> Limits = ["shards", "shardsPerImage", "roots"];

    public static readonly IReadOnlyList<string> RootLimit = ["shards", "rate"];
}
