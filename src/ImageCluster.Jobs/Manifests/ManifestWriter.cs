using System.Text;

namespace ImageCluster.Jobs.Manifests;

/// <summary>Writes a manifest as YAML that <see cref="ManifestParser"/> reads back as the same; what has its default value is left out.</summary>
public static class ManifestWriter
{
    public static string Write(MigrationManifest manifest)
    {
        var text = new StringBuilder();
        text.Append($"version: {MigrationManifest.CurrentVersion}\n");
        text.Append($"name: {Quote(manifest.Name)}\n");
        WriteMap(text, "roots", "", manifest.Roots);
        text.Append("sources:\n");
        foreach (SourceSelection source in manifest.Sources)
        {
            WriteSource(text, source);
        }

        WriteTarget(text, manifest.Target);
        WriteChoice(text, "", "verify", manifest.Verify);
        if (!manifest.TakesDigest)
        {
            text.Append("digest: false\n");
        }

        if (manifest.Parallel != new Parallelism())
        {
            text.Append("parallel:\n");
            WriteNumber(text, "  images", manifest.Parallel.Images);
            WriteNumber(text, "  threads", manifest.Parallel.Threads);
        }

        WriteRate(text, "rate", manifest.Rate);
        if (manifest.Priority != MigrationManifest.DefaultPriority)
        {
            WriteNumber(text, "priority", manifest.Priority);
        }

        WriteLimits(text, manifest.Limits);
        return text.ToString();
    }

    private static void WriteSource(StringBuilder text, SourceSelection source)
    {
        text.Append($"  - root: {Quote(source.Root.Text)}\n");
        WriteList(text, "include", source.Include.Select(glob => glob.Text));
        WriteList(text, "files", source.Files);
        WriteList(text, "exclude", source.Exclude.Select(glob => glob.Text));
        if (source.Format is not null)
        {
            text.Append($"    format: {Quote(source.Format)}\n");
        }

        if (source.Secret is not null)
        {
            text.Append($"    secret: {Quote(source.Secret)}\n");
        }
    }

    private static void WriteTarget(StringBuilder text, TargetDefinition target)
    {
        text.Append("target:\n");
        text.Append($"  root: {Quote(target.Root.Text)}\n");
        text.Append($"  name: {Quote(target.Name.Text)}\n");
        text.Append($"  format: {Quote(target.Format)}\n");
        WriteMap(text, "options", "  ", target.Options);
        if (target.Secret is not null)
        {
            text.Append($"  secret: {Quote(target.Secret)}\n");
        }

        if (target.Compress)
        {
            text.Append("  compress: true\n");
        }

        WriteChoice(text, "  ", "backing", target.Backing);
        WriteChoice(text, "  ", "existing", target.Existing);
    }

    private static void WriteLimits(StringBuilder text, MigrationLimits limits)
    {
        if (limits is { Shards: null, ShardsPerImage: null, Roots.Count: 0 })
        {
            return;
        }

        text.Append("limits:\n");
        WriteNumber(text, "  shards", limits.Shards);
        WriteNumber(text, "  shardsPerImage", limits.ShardsPerImage);
        if (limits.Roots.Count > 0)
        {
            text.Append("  roots:\n");
        }

        foreach ((string root, RootLimit limit) in limits.Roots)
        {
            text.Append($"    {Quote(root)}:{(limit == new RootLimit() ? " {}" : "")}\n");
            WriteNumber(text, "      shards", limit.Shards);
            WriteRate(text, "      rate", limit.Rate);
        }
    }

    private static void WriteChoice<T>(StringBuilder text, string indent, string key, T value)
        where T : struct, Enum
    {
        if (!value.Equals(default(T)))
        {
            text.Append($"{indent}{key}: {ManifestMapReader.ChoiceText(value)}\n");
        }
    }

    private static void WriteNumber(StringBuilder text, string key, int? value)
    {
        if (value is not null)
        {
            text.Append($"{key}: {value}\n");
        }
    }

    private static void WriteRate(StringBuilder text, string key, ByteRate? rate)
    {
        if (rate is not null)
        {
            text.Append($"{key}: {rate}\n");
        }
    }

    private static void WriteList(StringBuilder text, string key, IEnumerable<string> items)
    {
        if (items.Any())
        {
            text.Append($"    {key}: [{string.Join(", ", items.Select(Quote))}]\n");
        }
    }

    private static void WriteMap(StringBuilder text, string key, string indent, IReadOnlyDictionary<string, string> values)
    {
        if (values.Count > 0)
        {
            text.Append($"{indent}{key}:\n");
        }

        foreach ((string name, string value) in values)
        {
            text.Append($"{indent}  {Quote(name)}: {Quote(value)}\n");
        }
    }

    // Always in double quotes: no text is then taken for a number, a flag or syntax.
    private static string Quote(string value)
    {
        var quoted = new StringBuilder("\"", value.Length + 2);
        foreach (char c in value)
        {
            quoted.Append(c switch
            {
                '"' => "\\\"",
                '\\' => "\\\\",
                _ when char.IsControl(c) || char.IsSurrogate(c) || c is '\u2028' or '\u2029' or '\ufeff' => $"\\u{(int)c:x4}",
                _ => c.ToString(),
            });
        }

        return quoted.Append('"').ToString();
    }
}
