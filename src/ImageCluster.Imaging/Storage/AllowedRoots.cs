namespace ImageCluster.Imaging.Storage;

/// <summary>The directories in which files may be opened; see <see cref="OpenMode.Within"/> and <see cref="Chains.ConfinedLocator"/>.</summary>
public sealed class AllowedRoots
{
    private static readonly StringComparison Comparison =
        OperatingSystem.IsWindows() ? StringComparison.OrdinalIgnoreCase : StringComparison.Ordinal;

    private readonly string[] _roots;

    /// <param name="roots">Canonical absolute paths (<see cref="IFileLocator.Canonical"/>) of directories; at least one.</param>
    public AllowedRoots(params IEnumerable<string> roots)
    {
        _roots = [.. roots.Select(Trimmed)];
        ArgumentOutOfRangeException.ThrowIfZero(_roots.Length, nameof(roots));
    }

    public IReadOnlyList<string> Paths => _roots;

    /// <summary>True where a canonical path lies in one of the roots (or is one).</summary>
    public bool Contains(string canonicalPath) => Array.Exists(_roots, root =>
        canonicalPath.StartsWith(root, Comparison) &&
        (canonicalPath.Length == root.Length || EndsWithSeparator(root) || IsSeparator(canonicalPath[root.Length])));

    /// <summary>What to throw where <see cref="Contains"/> is false.</summary>
    public ImageException Refusal(string name, string canonicalPath)
    {
        string which = canonicalPath == name ? $"'{name}'" : $"'{name}' ('{canonicalPath}')";
        string roots = string.Join(", ", _roots.Select(root => $"'{root}'"));
        return new ImageException(ImageErrorKind.Policy, name, $"{which} lies outside the allowed {(_roots.Length == 1 ? "root" : "roots")} {roots}")
        {
            Hint = "Move the file into an allowed root, or allow the directory that it lies in.",
        };
    }

    private static string Trimmed(string root)
    {
        ArgumentException.ThrowIfNullOrEmpty(root);
        return Path.TrimEndingDirectorySeparator(root);
    }

    private static bool EndsWithSeparator(string root) => IsSeparator(root[^1]);

    private static bool IsSeparator(char c) => c == Path.DirectorySeparatorChar || c == Path.AltDirectorySeparatorChar;
}
