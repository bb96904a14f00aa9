using System.Globalization;
using ImageCluster.Imaging;
using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Formats;
using ImageCluster.Imaging.Storage;
using ImageCluster.QemuImg.CommandLine;

namespace ImageCluster.QemuImg.Images;

/// <summary>
/// An image as the command line names it: a file name, <c>json:{...}</c>, or (with <c>--image-opts</c>) an option string; taken apart
/// into the file, the format and the driver's options.
/// </summary>
internal sealed class ImageReference
{
    private readonly BlockNode? _node;
    private bool _hasWarned;

    private ImageReference(string text, string fileName, string? format)
    {
        Text = text;
        FileName = fileName;
        Format = format;
    }

    private ImageReference(string text, BlockNode node)
    {
        Text = text;
        _node = node;
        FileName = node.FileName;
        Format = node.IsProtocol ? "raw" : node.Driver;
    }

    /// <summary>As it was given: what messages quote.</summary>
    public string Text { get; }

    /// <summary>The file, by a name for the locator.</summary>
    public string FileName { get; }

    /// <summary>The format stated, or null where it is to be probed.</summary>
    public string? Format { get; }

    /// <summary>The driver's own options, as text.</summary>
    public IReadOnlyDictionary<string, string> Options => _node?.Options ?? new Dictionary<string, string>();

    /// <summary>The driver of an image that is the file itself, without a format (driver=file); null for any other.</summary>
    public string? ProtocolDriver => _node is { IsProtocol: true } ? _node.Driver : null;

    /// <inheritdoc cref="BlockNode.ReadOnly"/>
    public bool? ReadOnly => _node?.ReadOnly;

    /// <inheritdoc cref="BlockNode.FirstComplaint"/>
    public ImageException? FirstComplaint => _node?.FirstComplaint;

    /// <inheritdoc cref="BlockNode.UnmapComplaint"/>
    public ImageException? UnmapComplaint => _node?.UnmapComplaint;

    /// <inheritdoc cref="BlockNode.HasReadOnlyFile"/>
    public bool HasReadOnlyFile => _node is { HasReadOnlyFile: true };

    /// <inheritdoc cref="BlockNode.FileComplaint"/>
    public ImageException? FileComplaint => _node?.FileComplaint;

    /// <inheritdoc cref="BlockNode.FallsBackToReading"/>
    public bool FallsBackToReading => _node is { FallsBackToReading: true };

    /// <inheritdoc cref="BlockNode.IsUnlocked"/>
    public bool IsUnlocked => _node is { IsUnlocked: true };

    /// <inheritdoc cref="BlockNode.NeedsDirectCache"/>
    public bool NeedsDirectCache => _node is { NeedsDirectCache: true };

    /// <inheritdoc cref="BlockNode.RefusedValue"/>
    public ImageException? RefusedValue(string formatName) => _node?.RefusedValue(formatName);

    /// <inheritdoc cref="BlockNode.TellsSize"/>
    public bool TellsSize => _node is null or { TellsSize: true };

    /// <inheritdoc cref="BlockNode.NoDirectory"/>
    public string? NoDirectory => _node?.NoDirectory;

    /// <inheritdoc cref="BlockNode.DetectZeroes"/>
    public string? DetectZeroes => _node?.DetectZeroes;

    public bool ForcesSharing => _node is { ForcesSharing: true };

    /// <summary>What the options say of the backing file; null where they say nothing.</summary>
    public BackingNode? Backing => _node?.Backing;

    /// <summary>True the first time that this is asked where the old way of saying that there is no backing file was used: an empty string.</summary>
    public bool IsToWarnOfEmptyBacking()
    {
        bool warns = _node is { UsesEmptyBacking: true } && !_hasWarned;
        _hasWarned |= warns;
        return warns;
    }

    /// <summary>The name that info shows.</summary>
    public string DisplayName(string formatName) => _node?.DisplayName(formatName) ?? PlainName(FileName);

    /// <summary>For the engine, without what the options say of a backing file.</summary>
    public ImageSource ToSource(CommandHost host) => _node?.ToSource(host) ?? new ImageSource { FileName = FileName, Format = Format };

    /// <summary>For the engine, with the backing file that the options state.</summary>
    public ImageSource ToSourceOfChain(CommandHost host) => ToSource(host) with { Backing = Backing?.ToSource(host) };

    /// <summary>A file name with or without <c>json:</c>.</summary>
    /// <exception cref="CommandException">It cannot be taken apart; ends the command with <paramref name="exitCode"/>.</exception>
    public static ImageReference FromName(string name, string? format, int exitCode = 1) => name switch
    {
        _ when IsJson(name) => OrEnd(name, exitCode, () => FromJson(name, format)),
        _ when RuntimeOptions.IsFileDriver(format) => OrEnd(name, exitCode, () => Parse(name, new() { ["driver"] = format, ["filename"] = format == "file" ? ImagePath.WithoutFile(name) : ImagePath.ProtocolOf(name) == format ? ImagePath.ToLocal(name) : name }, null)),
        _ when format == "nbd" && !name.StartsWith("nbd:", StringComparison.Ordinal) =>
            throw new CommandException($"Could not open '{name}': File name string for NBD must start with 'nbd:'", exitCode),
        _ when IsBlkdebug(name) || format == "blkdebug" => OrEnd(name, exitCode, () => FromBlkdebug(name, format)),
        _ when IsBlkverify(name) || format == "blkverify" => OrEnd(name, exitCode, () => FromBlkverify(name, format)),
        _ when format == "quorum" => OrEnd(name, exitCode, () => Parse(name, new() { ["driver"] = format, ["filename"] = name }, null)),
        _ when RuntimeOptions.IsFilter(format) => OrEnd(name, exitCode, () => Parse(name, new() { ["driver"] = format, ["file.filename"] = name }, null)),
        _ => new ImageReference(name, AsPath(name), format),
    };

    /// <summary>As <see cref="FromName"/>, for a backing file: what is wrong with the name is said after what it is the backing file of.</summary>
    /// <exception cref="ImageException">It cannot be taken apart.</exception>
    public static ImageReference FromBackingName(string name, string? format) =>
        FromFilterName(name, format) ?? FromName(name, format);

    /// <summary>An option string (<c>--image-opts</c>).</summary>
    /// <inheritdoc cref="FromName" path="/exception"/>
    /// <param name="host">Where a warning goes.</param>
    /// <param name="text">The options.</param>
    /// <param name="exitCode">Where they cannot be taken apart.</param>
    /// <param name="forceShare"><c>-U</c> was given, which an option must not contradict.</param>
    public static ImageReference FromOptionText(CommandHost host, string text, int exitCode = 1, bool forceShare = false)
    {
        Dictionary<string, object?> flat = [];
        foreach (KeyValueText.Item item in KeyValueText.Split(text, "file"))
        {
            flat[item.AsSwitch.Name] = item.AsSwitch.Value;
            if (item.Value is null)
            {
                host.Errors.Write($"{host.ProgramName}: warning: short-form boolean option '{item.Name}' deprecated\nPlease use {item.AsSwitch.Name}={item.AsSwitch.Value} instead\n");
            }
        }

        PutInternalNames(flat);
        return forceShare && flat.TryGetValue("force-share", out object? sharing) && sharing is not "on"
            ? throw new CommandException("--force-share/-U conflicts with image options", exitCode)
            : OrEnd(text, exitCode, () => Parse(text, flat, null));
    }

    /// <summary>A backing file's name as a header has it, for the engine: null for a plain one.</summary>
    public static ImageSource? ReadBackingName(CommandHost host, string name, string? format) =>
        FromFilterName(name, format)?.ToSourceOfChain(host);

    /// <summary>Opens a backing file alone, by a name that is more than a file's; null for a plain one.</summary>
    public static IImageLayer? OpenBackingByName(CommandHost host, string name, string? format) => FromFilterName(name, format) is { } image
        ? new ChainOpener(host.Locator).OpenLayer(image.FileName, ImageOpener.Options(host, image, new OpenSettings { FollowBacking = false, DescribeOnly = true }))
        : null;

    /// <summary>A file's name as info shows it: without the protocol of local files.</summary>
    public static string PlainName(string name) => ImagePath.ToLocal(name) ?? name;

    // What stands behind file: is a path, colons and all; QEMU names it so.
    private static string AsPath(string name) =>
        ImagePath.ProtocolOf(name) == "file" && ImagePath.ToLocal(name) is { } path && ImagePath.HasProtocol(path) ? $"./{path}" : name;

    private static bool IsJson(string name) => name.StartsWith("json:", StringComparison.Ordinal);

    private static bool IsBlkdebug(string name) => name.StartsWith("blkdebug:", StringComparison.Ordinal);

    private static bool IsBlkverify(string name) => name.StartsWith("blkverify:", StringComparison.Ordinal);

    private static ImageReference? FromFilterName(string name, string? format) => name switch
    {
        _ when IsJson(name) => FromJson(name, format),
        _ when IsBlkdebug(name) => FromBlkdebug(name, format),
        _ when IsBlkverify(name) => FromBlkverify(name, format),
        _ => null,
    };

    // blkverify:RAW:IMAGE.
    private static ImageReference FromBlkverify(string name, string? format)
    {
        Dictionary<string, object?> flat = [];
        PutBlkverify(flat, format == "blkverify" ? "" : "file.", name);
        return Parse(name, flat, format == "blkverify" ? null : format);
    }

    private static void PutBlkverify(Dictionary<string, object?> flat, string prefix, string name)
    {
        flat[prefix + "driver"] = "blkverify";
        if (!IsBlkverify(name))
        {
            return;
        }

        string[] parts = name.Split(':', 3);
        if (parts.Length < 3)
        {
            throw Invalid(name, "blkverify requires raw copy and original image path");
        }

        flat[prefix + "raw.filename"] = parts[1];
        PutImage(flat, prefix + "test.", parts[2]);
    }

    // An image of any name, as options of a node.
    private static void PutImage(Dictionary<string, object?> flat, string prefix, string name)
    {
        if (IsJson(name))
        {
            Flatten(prefix, ReadJson(name), flat);
        }
        else if (IsBlkverify(name))
        {
            PutBlkverify(flat, prefix + "file.", name);
        }
        else if (ImagePath.ProtocolOf(name) is { } scheme and not "file")
        {
            flat[prefix + "file.driver"] = Imaging.Storage.Protocols.ProtocolRegistry.Create(Imaging.Storage.Protocols.ProtocolSettings.Default)
                .FirstOrDefault(protocol => protocol.Schemes.Contains(scheme))?.DriverOf(scheme) ?? throw Invalid(name, UnsupportedDrivers.RefusalOfScheme(scheme) ?? $"Unknown protocol '{scheme}'");
            flat[prefix + "file.filename"] = name;
        }
        else
        {
            flat[prefix + "file.filename"] = PlainName(name);
        }
    }

    // blkdebug:CONFIG:FILE, or a file's name alone where the driver is stated.
    private static ImageReference FromBlkdebug(string name, string? format)
    {
        string prefix = format == "blkdebug" ? "" : "file.";
        Dictionary<string, object?> flat = new() { [prefix + "driver"] = "blkdebug" };
        string file = name;
        if (IsBlkdebug(name))
        {
            string[] parts = name.Split(':', 3);
            file = parts.Length == 3 ? parts[2] : throw Invalid(name, "blkdebug requires both config file and image path");
            if (parts[1].Length > 0)
            {
                flat[prefix + "config"] = parts[1];
            }
        }

        flat[prefix + "image.filename"] = file;
        return Parse(name, flat, format == "blkdebug" ? null : format);
    }

    private static ImageReference FromJson(string name, string? format)
    {
        Dictionary<string, object?> flat = [];
        Flatten("", ReadJson(name), flat);
        return Parse(name, flat, format);
    }

    private static Dictionary<string, object?> ReadJson(string name)
    {
        object? value;
        try
        {
            value = JsonReader.Parse(name[5..]);
        }
        catch (FormatException e)
        {
            throw Invalid(name, $"Could not parse the JSON options: {e.Message}");
        }

        return value as Dictionary<string, object?> ?? throw Invalid(name, "Invalid JSON object given");
    }

    private static ImageReference Parse(string text, Dictionary<string, object?> flat, string? statedFormat)
    {
        PutInternalNames(flat);
        return new(text, BlockNode.Parse(flat, statedFormat));
    }

    // What filters with names of their own call their images within QEMU.
    private static void PutInternalNames(Dictionary<string, object?> flat)
    {
        if (flat.GetValueOrDefault("driver") is not ("blkdebug" or "blkverify"))
        {
            return;
        }

        if (flat.Remove("x-raw", out object? raw))
        {
            flat["raw.filename"] = raw;
        }

        if (flat.Remove("x-image", out object? image))
        {
            if (flat["driver"] is "blkverify")
            {
                PutImage(flat, "test.", BlockOptions.TextOf(image));
            }
            else
            {
                flat["image.filename"] = image;
            }
        }
    }

    private static ImageReference OrEnd(string text, int exitCode, Func<ImageReference> take)
    {
        try
        {
            return take();
        }
        catch (ImageException e)
        {
            throw new CommandException($"Could not open '{text}': {e.Message}", exitCode) { Hint = ImageOpener.HintText(e) };
        }
    }

    private static void Flatten(string prefix, Dictionary<string, object?> members, Dictionary<string, object?> flat)
    {
        foreach ((string key, object? value) in members)
        {
            Flatten(prefix + key, value, flat);
        }
    }

    private static void Flatten(string key, object? value, Dictionary<string, object?> flat)
    {
        switch (value)
        {
            case Dictionary<string, object?> { Count: > 0 } inner:
                Flatten(key + ".", inner, flat);
                break;
            case List<object?> { Count: > 0 } list:
                for (int i = 0; i < list.Count; i++)
                {
                    Flatten($"{key}.{i.ToString(CultureInfo.InvariantCulture)}", list[i], flat);
                }

                break;
            case Dictionary<string, object?> or List<object?>:
                break;
            default:
                flat[key] = value;
                break;
        }
    }

    private static ImageException Invalid(string text, string message) => new(ImageErrorKind.InvalidArgument, text, message);
}
