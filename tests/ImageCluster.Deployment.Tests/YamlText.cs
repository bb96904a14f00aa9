using YamlDotNet.RepresentationModel;

namespace ImageCluster.Deployment.Tests;

/// <summary>YAML as trees of maps and lists, asked by paths like <c>spec/template/spec/containers/0</c>.</summary>
internal static class YamlText
{
    public static List<YamlNode> Documents(string text)
    {
        var stream = new YamlStream();
        stream.Load(new YamlDotNet.Core.MergingParser(new YamlDotNet.Core.Parser(new StringReader(text))));
        return [.. stream.Documents.Select(document => document.RootNode)];
    }

    /// <summary>What is at a path; null where nothing is.</summary>
    public static YamlNode? At(this YamlNode node, string path)
    {
        YamlNode? found = node;
        foreach (string step in path.Split('/'))
        {
            found = found switch
            {
                YamlMappingNode map => map.Children.TryGetValue(new YamlScalarNode(step), out YamlNode? value) ? value : null,
                YamlSequenceNode list => int.TryParse(step, out int i) && i < list.Children.Count ? list.Children[i] : null,
                _ => null,
            };
        }

        return found;
    }

    public static string? Text(this YamlNode node, string path) => (node.At(path) as YamlScalarNode)?.Value;

    public static IEnumerable<YamlNode> Items(this YamlNode node, string path) => (node.At(path) as YamlSequenceNode)?.Children ?? [];

    public static IEnumerable<(string Key, YamlNode Value)> Entries(this YamlNode node, string path) =>
        (node.At(path) as YamlMappingNode)?.Children.Select(pair => (((YamlScalarNode)pair.Key).Value!, pair.Value)) ?? [];

    /// <summary>The keys of all scalars, levels parted by dots; a list is one value.</summary>
    public static IEnumerable<string> Keys(this YamlNode node, string prefix = "") => node is YamlMappingNode map
        ? map.Children.SelectMany(pair => pair.Value.Keys(prefix.Length == 0 ? pair.Key.ToString() : $"{prefix}.{pair.Key}"))
        : [prefix];
}
