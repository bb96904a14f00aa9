using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace ImageCluster.Node.Configuration;

/// <summary>Reads a configuration file: YAML, and so JSON too.</summary>
internal static class ConfigurationFile
{
    private const int MaxLength = 1 << 20;

    /// <summary>Sets what the file says.</summary>
    /// <param name="text">All of it.</param>
    /// <param name="name">What messages call it.</param>
    public static void Read(string text, string name, SettingValues values)
    {
        if (text.Length > MaxLength)
        {
            values.Problems.Add($"{name}: longer than {MaxLength:#,0} characters; is this a configuration file?");
            return;
        }

        try
        {
            var parser = new Parser(new StringReader(text));
            parser.Consume<StreamStart>();
            if (parser.TryConsume<DocumentStart>(out _) && !parser.Accept<DocumentEnd>(out _))
            {
                if (parser.Accept<MappingStart>(out _))
                {
                    ReadMap(parser, "", name, values);
                }
                else if (parser.Accept<Scalar>(out Scalar? scalar) && scalar.Value.Length == 0)
                {
                    parser.Consume<Scalar>();
                }
                else
                {
                    values.Problems.Add($"{name}: a configuration file is a map of settings");
                }
            }
        }
        catch (YamlException e)
        {
            values.Problems.Add($"{name}:{e.Start.Line}:{e.Start.Column}: not YAML: {e.Message.ReplaceLineEndings(" ")}");
        }
    }

    private static void ReadMap(Parser parser, string prefix, string name, SettingValues values)
    {
        parser.Consume<MappingStart>();
        var seen = new HashSet<string>(StringComparer.Ordinal);
        while (!parser.TryConsume<MappingEnd>(out _))
        {
            Scalar word = parser.Consume<Scalar>();
            string key = prefix + word.Value;
            string where = Where(name, word);
            if (!seen.Add(key))
            {
                values.Problems.Add($"{where}: '{key}' stands here a second time");
            }

            ReadValue(parser, key, name, where, values);
        }
    }

    private static void ReadValue(Parser parser, string key, string name, string where, SettingValues values)
    {
        if (parser.Accept<Scalar>(out Scalar? scalar))
        {
            parser.Consume<Scalar>();
            // 'key:' without a value is as if it were not there.
            if (scalar.Value.Length > 0 || scalar.Style != ScalarStyle.Plain)
            {
                values.Set(key, scalar.Value, Where(name, scalar));
            }
        }
        else if (parser.Accept<SequenceStart>(out _))
        {
            values.Set(key, SettingKinds.Join(Items(parser)), where);
        }
        else if (NodeSettings.All.Any(setting => setting.Key == key && setting.IsMap))
        {
            values.Set(key, SettingKinds.Join(Pairs(parser)), where);
        }
        else if (parser.Accept<MappingStart>(out _) && NodeSettings.All.Any(setting => setting.Key.StartsWith(key + ".", StringComparison.Ordinal)))
        {
            ReadMap(parser, key + ".", name, values);
        }
        else
        {
            parser.SkipThisAndNestedEvents();
            values.Set(key, "", where);
        }
    }

    private static List<string> Items(Parser parser)
    {
        parser.Consume<SequenceStart>();
        var items = new List<string>();
        while (!parser.TryConsume<SequenceEnd>(out _))
        {
            items.Add(parser.Consume<Scalar>().Value);
        }

        return items;
    }

    private static List<string> Pairs(Parser parser)
    {
        parser.Consume<MappingStart>();
        var pairs = new List<string>();
        while (!parser.TryConsume<MappingEnd>(out _))
        {
            pairs.Add($"{parser.Consume<Scalar>().Value}={parser.Consume<Scalar>().Value}");
        }

        return pairs;
    }

    private static string Where(string name, Scalar at) => $"{name}:{at.Start.Line}";
}
