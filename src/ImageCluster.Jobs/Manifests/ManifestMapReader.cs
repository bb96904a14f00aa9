using System.Globalization;

namespace ImageCluster.Jobs.Manifests;

/// <summary>Reads typed values out of one map of a manifest and notes what is wrong with them, with the line.</summary>
internal sealed class ManifestMapReader
{
    private readonly ManifestErrors _errors;
    private readonly ManifestNode _node;
    private readonly string _path;
    private readonly Dictionary<string, ManifestNode> _values = new(StringComparer.Ordinal);

    /// <param name="node">What should be a map.</param>
    /// <param name="path">How messages call it, e.g. <c>target</c>; empty for the manifest itself.</param>
    /// <param name="keys">The keys it may have.</param>
    /// <param name="errors">Takes the complaints.</param>
    public ManifestMapReader(ManifestNode node, string path, IReadOnlyList<string> keys, ManifestErrors errors)
    {
        _node = node;
        _path = path;
        _errors = errors;
        if (node is not ManifestMap map)
        {
            errors.Add(node, $"{(path.Length == 0 ? "the manifest" : $"'{path}'")} must be a map of keys ({string.Join(", ", keys)}), not {node.Kind}");
            return;
        }

        foreach ((ManifestScalar key, ManifestNode value) in map.Entries)
        {
            if (!keys.Contains(key.Text))
            {
                string where = path.Length == 0 ? "" : $" in '{path}'";
                errors.Add(key, $"unknown key '{key.Text}'{where}{NearestWord.Hint(key.Text, keys)}");
            }
            else if (value is ManifestScalar { IsNull: true })
            {
                errors.Add(key, $"'{Name(key.Text)}' has no value");
                Empty.Add(key.Text);
            }
            else
            {
                _values.Add(key.Text, value);
            }
        }
    }

    private HashSet<string> Empty { get; } = [];

    /// <summary>The key with the map's path before it, as messages name it.</summary>
    public string Name(string key) => _path.Length == 0 ? key : $"{_path}.{key}";

    public ManifestNode? Node(string key) => _values.GetValueOrDefault(key);

    /// <summary>As <see cref="Node"/>, complaining where there is none.</summary>
    public ManifestNode? Required(string key)
    {
        ManifestNode? node = Node(key);
        if (node is null && _node is ManifestMap && !Empty.Contains(key))
        {
            _errors.Add(_node, $"'{Name(key)}' is missing");
        }

        return node;
    }

    public ManifestScalar? Scalar(string key) => Scalar(Node(key), Name(key));

    public ManifestScalar? RequiredScalar(string key) => Scalar(Required(key), Name(key));

    /// <summary>A whole number between the bounds; null where it is not given or is wrong.</summary>
    public int? Integer(string key, int min, int max)
    {
        if (Scalar(key) is not { } scalar)
        {
            return null;
        }

        if (scalar.Plain && int.TryParse(scalar.Text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int value) &&
            value >= min && value <= max)
        {
            return value;
        }

        _errors.Add(scalar, $"'{Name(key)}' must be a whole number from {min} to {max:#,0}, not '{scalar.Text}'");
        return null;
    }

    public bool Flag(string key, bool otherwise)
    {
        ManifestScalar? scalar = Scalar(key);
        switch (scalar)
        {
            case null:
                return otherwise;
            case { Plain: true, Text: "true" or "True" or "TRUE" }:
                return true;
            case { Plain: true, Text: "false" or "False" or "FALSE" }:
                return false;
            default:
                _errors.Add(scalar, $"'{Name(key)}' must be true or false, not '{scalar.Text}'");
                return otherwise;
        }
    }

    /// <summary>One of an enumeration's names in lower case.</summary>
    public T Choice<T>(string key, T otherwise)
        where T : struct, Enum
    {
        if (Scalar(key) is not { } scalar)
        {
            return otherwise;
        }

        foreach (T value in Enum.GetValues<T>())
        {
            if (ChoiceText(value) == scalar.Text)
            {
                return value;
            }
        }

        string[] names = [.. Enum.GetValues<T>().Select(ChoiceText)];
        string near = NearestWord.Find(scalar.Text, names) is { } word ? $"; did you mean '{word}'?" : "";
        _errors.Add(scalar, $"'{Name(key)}' must be {string.Join(" or ", names)}, not '{scalar.Text}'{near}");
        return otherwise;
    }

    public ByteRate? Rate(string key)
    {
        if (Scalar(key) is not { } scalar)
        {
            return null;
        }

        if (ByteRate.TryParse(scalar.Text, out ByteRate rate))
        {
            return rate;
        }

        _errors.Add(scalar, $"'{Name(key)}' must be bytes a second above 0 such as 200MiB/s or 1.5GB/s, not '{scalar.Text}'");
        return null;
    }

    /// <summary>A list of texts, or a single one; each not empty. Empty where the key is not given.</summary>
    public IReadOnlyList<ManifestScalar> Texts(string key, int max)
    {
        ManifestNode? node = Node(key);
        if (node is null)
        {
            return [];
        }

        if (node is ManifestScalar single)
        {
            return [single];
        }

        if (node is not ManifestList list || list.Items.Count > max)
        {
            _errors.Add(node, $"'{Name(key)}' must be a text or a list of at most {max:#,0} texts{(node is ManifestList ? "" : $", not {node.Kind}")}");
            return [];
        }

        if (list.Items.Count == 0)
        {
            _errors.Add(node, $"'{Name(key)}' is an empty list");
        }

        return [.. list.Items.Select((item, i) => Scalar(item, $"{Name(key)}[{i}]")).OfType<ManifestScalar>()];
    }

    /// <summary>The entries of a map whose keys are the user's; empty where the key is not given.</summary>
    public IReadOnlyList<(ManifestScalar Key, ManifestNode Value)> Entries(string key)
    {
        switch (Node(key))
        {
            case null:
                return [];
            case ManifestMap map:
                return map.Entries;
            case { } node:
                _errors.Add(node, $"'{Name(key)}' must be a map, not {node.Kind}");
                return [];
        }
    }

    /// <summary>An enumeration's value as manifests write it.</summary>
    public static string ChoiceText<T>(T value)
        where T : struct, Enum => value.ToString().ToLowerInvariant();

    public ManifestScalar? Scalar(ManifestNode? node, string name)
    {
        switch (node)
        {
            case null:
                return null;
            case ManifestScalar { IsNull: false } scalar:
                return scalar;
            default:
                _errors.Add(node, $"'{name}' must be a single value, not {node.Kind}");
                return null;
        }
    }
}
