using System.CommandLine;
using System.Security.Cryptography;
using System.Text;
using ImageCluster.Cli.Migrating;
using ImageCluster.Jobs.Manifests;
using ImageCluster.Work.Roots;

namespace ImageCluster.Cli.Commands;

/// <summary>Makes a request of what was typed: from a manifest, or without one.</summary>
internal static class MigrateArguments
{
    // Upper case too: what comes off other systems often has it. Patterns compare case.
    private static readonly string[] Extensions =
        ["raw", "img", "qcow2", "qcow", "qed", "vmdk", "vdi", "vhd", "vhdx", "vpc", "hdd", "hds", "luks", "dmg", "cloop", "ova"];

    private static string UsualImages => $"**/*.{{{string.Join(',', Extensions.Concat(Extensions.Select(extension => extension.ToUpperInvariant())))}}}";

    /// <exception cref="ManifestException">The manifest cannot be used.</exception>
    public static MigrateRequest Read(ParseResult parsed, MigrateOptions options, string directory)
    {
        string[] files = parsed.GetValue(options.Files) ?? [];
        if (files.FirstOrDefault(file => file.StartsWith('-')) is { } option)
        {
            throw CliException.Usage($"unknown option '{option}'", $"try 'imagecluster migrate --help'; a file of that name is written ./{option}");
        }

        bool byManifest = parsed.GetValue(options.To) is null;
        MigrateRequest request = byManifest ? FromManifest(parsed, options, files, directory) : WithoutManifest(parsed, options, files, directory);
        MigrationManifest manifest = request.Manifest;
        VerifyMode verify = Choice(parsed, options.Verify, manifest.Verify);
        bool takesDigest = manifest.TakesDigest && !parsed.GetValue(options.NoDigest);
        if (verify == VerifyMode.Digest && !takesDigest)
        {
            throw CliException.Usage("no digest is taken that targets could be verified by", "leave --no-digest out, or say --verify compare");
        }

        return request with
        {
            Manifest = manifest with
            {
                Verify = verify,
                TakesDigest = takesDigest,
                Rate = Rate(parsed, options) ?? manifest.Rate,
                Parallel = new Parallelism(
                    Number(parsed, options.Images, Parallelism.MaxImages) ?? manifest.Parallel.Images,
                    Number(parsed, options.Threads, Parallelism.MaxThreads) ?? manifest.Parallel.Threads),
            },
            AllowedRoots = [.. (parsed.GetValue(options.AllowRoot) ?? []).Select(root => Path.GetFullPath(root, directory))],
            SecretsDirectory = parsed.GetValue(options.Secrets) is { } secrets ? Path.GetFullPath(secrets, directory) : null,
            ProbeBacking = parsed.GetValue(options.ProbeBacking),
            Restart = parsed.GetValue(options.Restart),
            StateDirectory = parsed.GetValue(options.State) is { } state ? Path.GetFullPath(state, directory) : null,
            ReportFile = parsed.GetValue(options.Report) is { } report ? Path.GetFullPath(report, directory) : null,
        };
    }

    private static MigrateRequest FromManifest(ParseResult parsed, MigrateOptions options, string[] files, string directory)
    {
        if (files.Length != 1)
        {
            throw CliException.Usage("more than one file and no --to", "give one manifest, or say with --to FORMAT what the images are to become");
        }

        if (options.OnlyWithoutManifest.FirstOrDefault(option => parsed.GetResult(option) is { Implicit: false }) is { } given)
        {
            throw CliException.Usage($"{given.Name} goes with --to only", "write it into the manifest");
        }

        string path = Path.GetFullPath(files[0], directory);
        return new MigrateRequest
        {
            Manifest = ManifestParser.Parse(ManifestFile.ReadText(path, files[0]), files[0]),
            BaseDirectory = Path.GetDirectoryName(path)!,
        };
    }

    private static MigrateRequest WithoutManifest(ParseResult parsed, MigrateOptions options, string[] files, string directory)
    {
        if (files.Length < 2)
        {
            throw CliException.Usage("--to needs images and, last, a directory for the targets", "imagecluster migrate --to FORMAT SOURCE... TARGET_DIR");
        }

        string target = RemoteRoot.IsOne(files[^1]) ? files[^1].TrimEnd('/') : Path.GetFullPath(files[^1], directory);
        if (File.Exists(target))
        {
            throw CliException.Usage($"{files[^1]}: the last argument is the directory for the targets, and this is a file");
        }

        PathGlob[] include = Globs(parsed.GetValue(options.Include) is { Length: > 0 } given ? given : [UsualImages]);
        PathGlob[] exclude = Globs(parsed.GetValue(options.Exclude) ?? []);
        string? from = parsed.GetValue(options.From);
        string? secret = parsed.GetValue(options.SourceSecret);
        var manifest = new MigrationManifest
        {
            Name = "unnamed",
            Sources = [.. files[..^1].Select(source => Source(source, directory, include, exclude, from is "probe" ? null : from) with { Secret = secret })],
            Target = new TargetDefinition
            {
                Root = new RootReference(target),
                Name = Pattern(parsed.GetValue(options.Name)),
                Format = parsed.GetValue(options.To)!,
                Options = CreateOptions(parsed.GetValue(options.CreateOptions) ?? []),
                Secret = parsed.GetValue(options.TargetSecret),
                Compress = parsed.GetValue(options.Compress),
                Backing = Choice(parsed, options.Backing, BackingChain.Flatten),
                Existing = Choice(parsed, options.Existing, ExistingTarget.Fail),
            },
        };
        manifest = Check(manifest with { Name = NameOf(manifest) });
        return new MigrateRequest { Manifest = manifest, BaseDirectory = directory, CreatesTargetRoot = true };
    }

    private static SourceSelection Source(string source, string directory, PathGlob[] include, PathGlob[] exclude, string? format)
    {
        if (RemoteRoot.IsOne(source))
        {
            return Remote(source, include, exclude, format);
        }

        string path = Path.TrimEndingDirectorySeparator(Path.GetFullPath(source, directory));
        if (Directory.Exists(path))
        {
            return new SourceSelection { Root = new RootReference(path), Include = include, Exclude = exclude, Format = format };
        }

        return Path.Exists(path)
            ? new SourceSelection { Root = new RootReference(Path.GetDirectoryName(path)!), Files = [Path.GetFileName(path)], Format = format }
            : throw CliException.Usage($"{source}: there is no such file or directory");
    }

    // An address of one image, by its extension, or of something that has many.
    private static SourceSelection Remote(string source, PathGlob[] include, PathGlob[] exclude, string? format)
    {
        string address = source.TrimEnd('/');
        int slash = address.LastIndexOf('/');
        bool isOne = slash > address.IndexOf("://", StringComparison.Ordinal) + 2
            && (!address.StartsWith("s3:", StringComparison.Ordinal) || Extensions.Contains(Path.GetExtension(address).TrimStart('.').ToLowerInvariant()));
        return isOne
            ? new SourceSelection { Root = new RootReference(address[..slash]), Files = [address[(slash + 1)..]], Format = format }
            : new SourceSelection { Root = new RootReference(address), Include = include, Exclude = exclude, Format = format };
    }

    // The same text goes through the parser of manifests, so that one place knows what is allowed; its words become those of this command line.
    private static MigrationManifest Check(MigrationManifest manifest)
    {
        try
        {
            return ManifestParser.Parse(ManifestWriter.Write(manifest));
        }
        catch (ManifestException e)
        {
            string message = e.Errors[0].Message
                .Replace("'target.format'", "--to", StringComparison.Ordinal)
                .Replace("'target.secret'", "--target-secret", StringComparison.Ordinal)
                .Replace("'target.backing: keep'", "--backing keep", StringComparison.Ordinal)
                .Replace("target.options.", "-o ", StringComparison.Ordinal);
            throw CliException.Usage(
                !message.StartsWith("'sources[", StringComparison.Ordinal) ? message
                : message.Contains(".format'", StringComparison.Ordinal) ? $"--from{message[message.IndexOf(':', StringComparison.Ordinal)..]}"
                : message.Contains(".secret'", StringComparison.Ordinal) ? $"--source-secret{message[(message.IndexOf(".secret'", StringComparison.Ordinal) + 8)..]}"
                : message);
        }
    }

    // The same command has the same name, so that it finds its journal; options that change nothing of the targets do not count.
    private static string NameOf(MigrationManifest manifest)
    {
        MigrationManifest essential = manifest with { Target = manifest.Target with { Existing = ExistingTarget.Fail } };
        byte[] hash = SHA256.HashData(Encoding.UTF8.GetBytes(ManifestWriter.Write(essential)));
        return $"to-{manifest.Target.Format}-{Convert.ToHexStringLower(hash.AsSpan(0, 4))}";
    }

    private static PathGlob[] Globs(string[] texts) => [.. texts.Select(text => PathGlob.TryParse(text, out PathGlob? glob, out string problem)
        ? glob!
        : throw CliException.Usage($"pattern '{text}' {problem}"))];

    private static TargetPattern Pattern(string? text) => text is null ? TargetPattern.Default
        : TargetPattern.TryParse(text, out TargetPattern? pattern, out string problem) ? pattern!
        : throw CliException.Usage($"--name {problem}");

    private static SortedDictionary<string, string> CreateOptions(string[] texts)
    {
        var options = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (string text in texts.SelectMany(text => text.Split(',', StringSplitOptions.RemoveEmptyEntries)))
        {
            int equals = text.IndexOf('=', StringComparison.Ordinal);
            options[equals < 0 ? text : text[..equals]] = equals < 0 ? "on" : text[(equals + 1)..];
        }

        return options;
    }

    private static T Choice<T>(ParseResult parsed, Option<string?> option, T otherwise)
        where T : struct, Enum
    {
        string? text = parsed.GetValue(option);
        if (text is null)
        {
            return otherwise;
        }

        foreach (T value in Enum.GetValues<T>())
        {
            if (value.ToString().Equals(text, StringComparison.OrdinalIgnoreCase))
            {
                return value;
            }
        }

        string known = string.Join(", ", Enum.GetNames<T>()).ToLowerInvariant();
        throw CliException.Usage($"{option.Name} '{text}' is not known", $"use one of {known}");
    }

    private static int? Number(ParseResult parsed, Option<int?> option, int max) => parsed.GetValue(option) switch
    {
        null => null,
        int value when value >= 1 && value <= max => value,
        int value => throw CliException.Usage($"{option.Name} {value} is not between 1 and {max}"),
    };

    private static ByteRate? Rate(ParseResult parsed, MigrateOptions options) => parsed.GetValue(options.Rate) switch
    {
        null => null,
        string text when ByteRate.TryParse(text, out ByteRate rate) => rate,
        string text => throw CliException.Usage($"--rate '{text}' is not a rate", "bytes a second above 0, such as 200MiB/s or 1.5GB/s"),
    };
}
