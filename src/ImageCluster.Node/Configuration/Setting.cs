namespace ImageCluster.Node.Configuration;

/// <summary>One setting of a node, declared once: for the file, the environment, the arguments, the help and docs/node.md.</summary>
/// <param name="key">How it is written in the file, levels parted by dots.</param>
/// <param name="form">What its values look like, for people.</param>
/// <param name="standard">Its value where nobody sets it, as text; empty for none.</param>
/// <param name="description">What it does; full sentences.</param>
public abstract class Setting(string key, string form, string standard, string description)
{
    /// <summary>Before the names of environment variables.</summary>
    public const string Prefix = "IMAGECLUSTER_";

    public string Key { get; } = key;

    public string Form { get; } = form;

    public string Default { get; } = standard;

    public string Description { get; } = description;

    /// <summary>A level of the key is two underscores, as everywhere in .NET.</summary>
    public string Variable => Prefix + Key.Replace(".", "__", StringComparison.Ordinal).ToUpperInvariant();

    /// <summary>It is not shown, and not taken from arguments, which everybody on the machine can read.</summary>
    public bool IsSecret { get; init; }

    /// <summary>It holds a name for each value: a map in the file, <c>NAME=VALUE,...</c> elsewhere.</summary>
    public bool IsMap { get; init; }

    /// <summary>What is wrong with a value, to be said after it; null where it is good.</summary>
    public abstract string? ProblemOf(string text);
}
