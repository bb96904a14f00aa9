namespace ImageCluster.Jobs.Manifests;

/// <summary>Images of one root, chosen by patterns.</summary>
public sealed record SourceSelection
{
    public required RootReference Root { get; init; }

    /// <summary>Patterns over the paths in the root; an image is taken where one of them matches.</summary>
    public IReadOnlyList<PathGlob> Include { get; init; } = [];

    /// <summary>Images taken by their paths in the root, letter for letter; they must be there.</summary>
    public IReadOnlyList<string> Files { get; init; } = [];

    /// <summary>Patterns of what <see cref="Include"/> would take and is to be left out.</summary>
    public IReadOnlyList<PathGlob> Exclude { get; init; } = [];

    /// <summary>The format of all of them, or null where each is probed.</summary>
    public string? Format { get; init; }

    /// <summary>The name of the secret with the password of those that are encrypted; null for none.</summary>
    public string? Secret { get; init; }

    /// <summary>True where <paramref name="path"/>, a path in the root, is chosen.</summary>
    public bool Selects(string path) =>
        Files.Contains(path, StringComparer.Ordinal) ||
        (Include.Any(glob => glob.IsMatch(path)) && !Exclude.Any(glob => glob.IsMatch(path)));
}
