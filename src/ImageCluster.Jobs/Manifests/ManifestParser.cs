using ImageCluster.Imaging.Formats;

namespace ImageCluster.Jobs.Manifests;

/// <summary>Reads a manifest. Everything that is wrong is reported at once, each with its line.</summary>
public sealed class ManifestParser
{
    public const int MaxSources = 1000;

    public const int MaxPatterns = 10_000;

    private readonly ManifestErrors _errors;
    private readonly IReadOnlyList<ImageFormat> _formats;

    private ManifestParser(string source, IReadOnlyList<ImageFormat> formats)
    {
        _errors = new ManifestErrors(source);
        _formats = formats;
    }

    /// <summary>Reads <paramref name="yaml"/>.</summary>
    /// <param name="yaml">The whole text.</param>
    /// <param name="source">What messages call it: the file's name.</param>
    /// <param name="formats">The formats and create options that there are; those of the engine where it is null.</param>
    /// <exception cref="ManifestException">Something is wrong with it.</exception>
    public static MigrationManifest Parse(string yaml, string source = "manifest", IReadOnlyList<ImageFormat>? formats = null)
    {
        var parser = new ManifestParser(source, formats ?? FormatRegistry.All);
        ManifestNode root = ManifestLoader.Load(yaml, source, parser._errors);
        MigrationManifest? manifest = parser.Manifest(root);
        parser._errors.ThrowIfAny();
        return manifest!;
    }

    private MigrationManifest? Manifest(ManifestNode root)
    {
        var map = new ManifestMapReader(root, "", ManifestKeys.Manifest, _errors);
        ManifestScalar? version = map.RequiredScalar("version");
        if (version is not null and not { Plain: true, Text: "1" })
        {
            _errors.Add(version, $"version '{version.Text}' is not known; this program reads version {MigrationManifest.CurrentVersion}");
            return null;
        }

        ManifestScalar? name = map.RequiredScalar("name");
        if (name is not null && NameProblem(name.Text) is { } problem)
        {
            _errors.Add(name, $"'name' {problem}");
        }

        List<SourceSelection> sources = Sources(map);
        TargetDefinition? target = map.Required("target") is { } node ? Target(node) : null;
        if (name is null || target is null)
        {
            return null;
        }

        var manifest = new MigrationManifest
        {
            Name = name.Text,
            Roots = Roots(map),
            Sources = sources,
            Target = target,
            Verify = map.Choice("verify", VerifyMode.Compare),
            TakesDigest = map.Flag("digest", true),
            Parallel = Parallel(map),
            Rate = map.Rate("rate"),
            Priority = map.Integer("priority", 0, MigrationManifest.MaxPriority) ?? MigrationManifest.DefaultPriority,
        };
        if (manifest is { Verify: VerifyMode.Digest, TakesDigest: false })
        {
            _errors.Add(map.Node("digest")!, "'digest: false' leaves 'verify: digest' nothing to verify by");
        }

        return manifest with { Limits = Limits(map, manifest) };
    }

    private static string? NameProblem(string name)
    {
        if (name.Trim().Length != name.Length || name.Length == 0)
        {
            return "is empty, or starts or ends with a blank";
        }

        return name.Length > MigrationManifest.MaxNameLength ? $"is longer than {MigrationManifest.MaxNameLength} characters"
            : name.Any(char.IsControl) ? "has a control character"
            : null;
    }

    private SortedDictionary<string, string> Roots(ManifestMapReader map)
    {
        var roots = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach ((ManifestScalar key, ManifestNode value) in map.Entries("roots"))
        {
            if (!RootReference.IsValidName(key.Text))
            {
                _errors.Add(key, $"'{key.Text}' is not a name for a root: letters, digits, '.', '_' and '-', at most 64, a letter or digit first");
            }
            else if (map.Scalar(value, $"roots.{key.Text}") is { } path)
            {
                CheckText(path, $"roots.{key.Text}");
                roots.Add(key.Text, path.Text);
            }
        }

        return roots;
    }

    private List<SourceSelection> Sources(ManifestMapReader map)
    {
        var sources = new List<SourceSelection>();
        switch (map.Required("sources"))
        {
            case ManifestList { Items.Count: > 0 and <= MaxSources } list:
                sources.AddRange(list.Items.Select((item, i) => Source(item, $"sources[{i}]")).OfType<SourceSelection>());
                break;
            case ManifestList { Items.Count: 0 } empty:
                _errors.Add(empty, "'sources' is an empty list");
                break;
            case { } other:
                _errors.Add(other, $"'sources' must be a list of at most {MaxSources:#,0} maps (root, include, ...)");
                break;
        }

        return sources;
    }

    private SourceSelection? Source(ManifestNode node, string path)
    {
        var map = new ManifestMapReader(node, path, ManifestKeys.Source, _errors);
        RootReference? root = Root(map);
        ManifestScalar? format = map.Scalar("format");
        if (format is not null && format.Text != "probe")
        {
            FindFormat(format, map.Name("format"));
        }

        var source = new SourceSelection
        {
            Root = root ?? default,
            Include = Globs(map, "include"),
            Files = Files(map),
            Exclude = Globs(map, "exclude"),
            Format = format?.Text is "probe" ? null : format?.Text,
            Secret = Secret(map),
        };
        if (node is ManifestMap && map.Node("include") is null && map.Node("files") is null)
        {
            _errors.Add(node, $"'{path}' chooses nothing: give 'include' patterns (such as \"**/*.vmdk\") or 'files'");
        }

        return source;
    }

    private string? Secret(ManifestMapReader map)
    {
        ManifestScalar? secret = map.Scalar("secret");
        if (secret is not null && !SecretName.IsValid(secret.Text))
        {
            _errors.Add(secret, $"'{map.Name("secret")}' is the name of a secret, not a password: {SecretName.Rule}");
        }

        return secret?.Text;
    }

    private List<PathGlob> Globs(ManifestMapReader map, string key)
    {
        var globs = new List<PathGlob>();
        foreach (ManifestScalar text in map.Texts(key, MaxPatterns))
        {
            if (PathGlob.TryParse(text.Text, out PathGlob? glob, out string problem))
            {
                globs.Add(glob!);
            }
            else
            {
                _errors.Add(text, $"pattern '{text.Text}' in '{map.Name(key)}' {problem}");
            }
        }

        return globs;
    }

    private List<string> Files(ManifestMapReader map)
    {
        var files = new List<string>();
        foreach (ManifestScalar text in map.Texts("files", MaxPatterns))
        {
            if (ImageName.PathProblem(text.Text) is { } problem)
            {
                _errors.Add(text, $"'{text.Text}' in '{map.Name("files")}' {problem}");
            }

            files.Add(text.Text);
        }

        return files;
    }

    private TargetDefinition? Target(ManifestNode node)
    {
        var map = new ManifestMapReader(node, "target", ManifestKeys.Target, _errors);
        RootReference? root = Root(map);
        ManifestScalar? formatText = map.RequiredScalar("format");
        ImageFormat? format = formatText is null ? null : FindFormat(formatText, "target.format");
        if (format is { CanCreate: false })
        {
            _errors.Add(formatText!, $"'target.format': images of format '{format.Name}' can be read, not created");
        }

        TargetPattern pattern = TargetPattern.Default;
        if (map.Scalar("name") is { } name)
        {
            if (TargetPattern.TryParse(name.Text, out TargetPattern? parsed, out string problem))
            {
                pattern = parsed!;
            }
            else
            {
                _errors.Add(name, $"'target.name' {problem}");
            }
        }

        BackingChain backing = map.Choice("backing", BackingChain.Flatten);
        if (backing == BackingChain.Keep && format is { CanCreate: true, SupportsBacking: false })
        {
            _errors.Add(map.Node("backing")!, $"'target.backing: keep' needs a format with backing files, which '{format.Name}' has not");
        }

        return new TargetDefinition
        {
            Root = root ?? default,
            Name = pattern,
            Format = formatText?.Text ?? "",
            Options = Options(map, format),
            Secret = Secret(map),
            Compress = map.Flag("compress", false),
            Backing = backing,
            Existing = map.Choice("existing", ExistingTarget.Fail),
        };
    }

    private SortedDictionary<string, string> Options(ManifestMapReader map, ImageFormat? format)
    {
        var options = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach ((ManifestScalar key, ManifestNode value) in map.Entries("options"))
        {
            string name = $"target.options.{key.Text}";
            if (key.Text is "backing_file" or "backing_fmt" or "size")
            {
                _errors.Add(key, $"'{name}' is not for a migration: backing files come from 'target.backing', sizes from the sources");
            }
            else if (key.Text.EndsWith("-secret", StringComparison.Ordinal))
            {
                _errors.Add(key, $"'{name}': passwords are named by 'target.secret'");
            }
            else if (format is not null && format.CreateOptions.All(option => option.Name != key.Text))
            {
                string[] known = [.. format.CreateOptions.Select(option => option.Name)];
                _errors.Add(key, $"format '{format.Name}' has no option '{key.Text}'{NearestWord.Hint(key.Text, known)}");
            }

            if (map.Scalar(value, name) is { } scalar)
            {
                options[key.Text] = scalar.Text;
            }
        }

        return options;
    }

    private Parallelism Parallel(ManifestMapReader map)
    {
        if (map.Node("parallel") is not { } node)
        {
            return new Parallelism();
        }

        var parallel = new ManifestMapReader(node, "parallel", ManifestKeys.Parallel, _errors);
        return new Parallelism(parallel.Integer("images", 1, Parallelism.MaxImages), parallel.Integer("threads", 1, Parallelism.MaxThreads));
    }

    private MigrationLimits Limits(ManifestMapReader map, MigrationManifest manifest)
    {
        if (map.Node("limits") is not { } node)
        {
            return new MigrationLimits();
        }

        var limits = new ManifestMapReader(node, "limits", ManifestKeys.Limits, _errors);
        string[] used = [.. manifest.UsedRoots.Select(root => root.Text).OfType<string>()];
        var roots = new SortedDictionary<string, RootLimit>(StringComparer.Ordinal);
        foreach ((ManifestScalar key, ManifestNode value) in limits.Entries("roots"))
        {
            if (!used.Contains(key.Text))
            {
                _errors.Add(key, $"no source or target uses root '{key.Text}'{NearestWord.Hint(key.Text, used)}");
            }

            var limit = new ManifestMapReader(value, $"limits.roots.{key.Text}", ManifestKeys.RootLimit, _errors);
            roots[key.Text] = new RootLimit(limit.Integer("shards", 1, MigrationLimits.MaxShards), limit.Rate("rate"));
        }

        return new MigrationLimits
        {
            Shards = limits.Integer("shards", 1, MigrationLimits.MaxShards),
            ShardsPerImage = limits.Integer("shardsPerImage", 1, MigrationLimits.MaxShards),
            Roots = roots,
        };
    }

    private RootReference? Root(ManifestMapReader map)
    {
        if (map.RequiredScalar("root") is not { } text)
        {
            return null;
        }

        CheckText(text, map.Name("root"));
        return new RootReference(text.Text);
    }

    private void CheckText(ManifestScalar text, string name)
    {
        if (text.Text.Length is 0 or > ImageName.MaxPathLength || text.Text.Any(char.IsControl))
        {
            _errors.Add(text, $"'{name}' is empty, longer than {ImageName.MaxPathLength:#,0} characters or has a control character");
        }
    }

    private ImageFormat? FindFormat(ManifestScalar name, string key)
    {
        ImageFormat? format = _formats.FirstOrDefault(format => format.Name == name.Text);
        if (format is null)
        {
            string[] known = [.. _formats.Select(format => format.Name)];
            _errors.Add(name, $"'{key}': unknown format '{name.Text}'{NearestWord.Hint(name.Text, known)}");
        }

        return format;
    }
}
