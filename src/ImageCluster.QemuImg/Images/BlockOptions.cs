using System.Globalization;

namespace ImageCluster.QemuImg.Images;

/// <summary>The options of a node by their names from there on; a dot leads to a child's.</summary>
internal sealed class BlockOptions(IReadOnlyDictionary<string, object?> all)
{
    /// <summary>Also the children's, with a dot.</summary>
    public IReadOnlyDictionary<string, object?> All => all;

    public IEnumerable<string> Names => all.Keys;

    public bool IsEmpty => all.Count == 0;

    public bool Has(string name) => all.ContainsKey(name);

    /// <summary>A string's value; null for anything else.</summary>
    public string? Text(string name) => all.GetValueOrDefault(name) as string;

    /// <summary>What starts with a child's name and a dot, without these.</summary>
    public BlockOptions Child(string name)
    {
        string prefix = name + ".";
        return new BlockOptions(all
            .Where(option => option.Key.StartsWith(prefix, StringComparison.Ordinal))
            .ToDictionary(option => option.Key[prefix.Length..], option => option.Value));
    }

    /// <summary>What is not a child node's.</summary>
    /// <param name="isProtocol">The node has no children: all is its own.</param>
    /// <param name="children">What the node calls the children that hold its bytes.</param>
    public IEnumerable<KeyValuePair<string, object?>> Own(bool isProtocol, params string[] children) => isProtocol
        ? all
        : all.Where(option => !children.Append("backing").Any(child => option.Key.StartsWith(child + ".", StringComparison.Ordinal)));

    /// <summary>The options that a filter lets through, as text.</summary>
    public Dictionary<string, string> OwnTexts(Func<string, bool> filter) =>
        all.Where(option => filter(option.Key)).ToDictionary(static option => option.Key, static option => TextOf(option.Value));

    /// <summary>A value as an option string would have it.</summary>
    public static string TextOf(object? value) => value switch
    {
        bool flag => flag ? "on" : "off",
        null => "",
        _ => Convert.ToString(value, CultureInfo.InvariantCulture)!,
    };
}
