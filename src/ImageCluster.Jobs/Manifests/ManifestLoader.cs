using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace ImageCluster.Jobs.Manifests;

/// <summary>
/// Reads YAML into nodes that know their lines. One document, no anchors and aliases (a small text could stand for a huge one),
/// no tags, no key twice, bounded depth and size.
/// </summary>
internal static class ManifestLoader
{
    /// <summary>Characters; a manifest of 1,000 sources has a tenth of it.</summary>
    public const int MaxLength = 4 << 20;

    private const int MaxDepth = 16;

    public static ManifestNode Load(string text, string source, ManifestErrors errors)
    {
        if (text.Length > MaxLength)
        {
            errors.Add(1, 1, $"the manifest is longer than {MaxLength:#,0} characters");
            errors.ThrowIfAny();
        }

        try
        {
            var parser = new Parser(new StringReader(text));
            parser.Consume<StreamStart>();
            if (parser.Accept<StreamEnd>(out _))
            {
                errors.Add(1, 1, "the manifest is empty");
                errors.ThrowIfAny();
            }

            parser.Consume<DocumentStart>();
            ManifestNode root = Node(parser, errors, 0);
            parser.Consume<DocumentEnd>();
            if (parser.Accept<DocumentStart>(out DocumentStart? second))
            {
                errors.Add((int)second.Start.Line, (int)second.Start.Column, "a manifest is one YAML document; a second one starts here");
                errors.ThrowIfAny();
            }

            parser.Consume<StreamEnd>();
            return root;
        }
        catch (YamlException e)
        {
            string message = e.Message.ReplaceLineEndings(" ");
            throw new ManifestException(source, [new ManifestError((int)e.Start.Line, (int)e.Start.Column, $"not YAML: {message}")]);
        }
    }

    private static ManifestNode Node(Parser parser, ManifestErrors errors, int depth)
    {
        ParsingEvent next = parser.Consume<ParsingEvent>();
        (int line, int column) = ((int)next.Start.Line, (int)next.Start.Column);
        if (next is NodeEvent { Anchor.IsEmpty: false } or AnchorAlias)
        {
            errors.Add(line, column, "anchors and aliases are not used in manifests; write the value out");
            errors.ThrowIfAny();
        }

        if (next is NodeEvent { Tag: { IsEmpty: false, IsNonSpecific: false } })
        {
            errors.Add(line, column, "tags are not used in manifests");
        }

        if (depth > MaxDepth)
        {
            errors.Add(line, column, $"nested deeper than {MaxDepth} levels");
            errors.ThrowIfAny();
        }

        switch (next)
        {
            case Scalar scalar:
                return new ManifestScalar(line, column, scalar.Value, scalar.Style == ScalarStyle.Plain);
            case SequenceStart:
                var items = new List<ManifestNode>();
                while (!parser.TryConsume<SequenceEnd>(out _))
                {
                    items.Add(Node(parser, errors, depth + 1));
                }

                return new ManifestList(line, column, items);
            default:
                return Map(parser, errors, depth, line, column);
        }
    }

    private static ManifestMap Map(Parser parser, ManifestErrors errors, int depth, int line, int column)
    {
        var entries = new List<(ManifestScalar Key, ManifestNode Value)>();
        var seen = new Dictionary<string, int>(StringComparer.Ordinal);
        while (!parser.TryConsume<MappingEnd>(out _))
        {
            ManifestNode key = Node(parser, errors, depth + 1);
            ManifestNode value = Node(parser, errors, depth + 1);
            if (key is not ManifestScalar name)
            {
                errors.Add(key, "a key must be a single word");
            }
            else if (!seen.TryAdd(name.Text, name.Line))
            {
                errors.Add(name, $"key '{name.Text}' stands here a second time (first on line {seen[name.Text]})");
            }
            else
            {
                entries.Add((name, value));
            }
        }

        return new ManifestMap(line, column, entries);
    }
}
