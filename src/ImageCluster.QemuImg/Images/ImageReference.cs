using System.Globalization;
using ImageCluster.Imaging;
using ImageCluster.Imaging.Formats;
using ImageCluster.QemuImg.CommandLine;
using ImageCluster.QemuImg.Output;

namespace ImageCluster.QemuImg.Images;

/// <summary>
/// An image as the command line names it: a file name, <c>json:{...}</c>, or (with <c>--image-opts</c>) an option string; taken apart
/// into the file, the format and the driver's options.
/// </summary>
internal sealed class ImageReference
{
    private ImageReference(string text, string fileName, string? format)
    {
        Text = text;
        FileName = fileName;
        Format = format;
    }

    /// <summary>As it was given: what messages quote.</summary>
    public string Text { get; }

    /// <summary>The file, by a name for the locator.</summary>
    public string FileName { get; }

    /// <summary>The format stated, or null where it is to be probed.</summary>
    public string? Format { get; }

    /// <summary>The driver's own options, as text.</summary>
    public IReadOnlyDictionary<string, string> Options { get; private init; } = new Dictionary<string, string>();

    /// <summary>The options that make the image another than its file name says, with the types that they were given in.</summary>
    private QDict? Significant { get; init; }

    /// <summary>The image is the file itself, without a format (driver=file).</summary>
    public bool IsProtocol { get; private init; }

    /// <summary>True for <c>backing=null</c> in JSON: the image is to be opened alone.</summary>
    public bool WithoutBacking { get; private init; }

    /// <summary>The name that info shows.</summary>
    public string DisplayName(string formatName)
    {
        if (Significant is null)
        {
            return PlainName(FileName);
        }

        QDict file = new() { { "driver", "file" }, { "filename", PlainName(FileName) } };
        QDict whole = new() { { "driver", formatName }, { "file", file } };
        foreach ((string key, object value) in Significant)
        {
            whole.Add(key, value);
        }

        StringWriter text = new();
        text.Write("json:");
        QemuJson.WriteCompact(text, whole);
        return text.ToString();
    }

    /// <summary>A file name with or without <c>json:</c>.</summary>
    /// <exception cref="CommandException">It cannot be taken apart; ends the command with <paramref name="exitCode"/>.</exception>
    public static ImageReference FromName(string name, string? format, int exitCode = 1)
    {
        return name.StartsWith("json:", StringComparison.Ordinal)
            ? OrEnd(name, exitCode, () => FromJson(name, format))
            : new ImageReference(name, name, format);
    }

    private static ImageReference FromJson(string name, string? format)
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

        if (value is not Dictionary<string, object?> members)
        {
            throw Invalid(name, "Invalid JSON object given");
        }

        Dictionary<string, object?> flat = [];
        Flatten("", members, flat);
        return FromOptions(name, flat, format);
    }

    /// <summary>An option string (<c>--image-opts</c>).</summary>
    /// <inheritdoc cref="FromName" path="/exception"/>
    public static ImageReference FromOptionText(string text, int exitCode = 1)
    {
        Dictionary<string, object?> flat = [];
        foreach (KeyValueText.Item item in KeyValueText.Split(text, "file"))
        {
            flat[item.AsSwitch.Name] = item.AsSwitch.Value;
        }

        return OrEnd(text, exitCode, () => FromOptions(text, flat, null));
    }

    /// <summary>A file's name as info shows it: without the protocol of local files.</summary>
    public static string PlainName(string name) => name.StartsWith("file:", StringComparison.Ordinal) ? name[5..] : name;

    private static ImageReference OrEnd(string text, int exitCode, Func<ImageReference> take)
    {
        try
        {
            return take();
        }
        catch (ImageException e)
        {
            throw new CommandException($"Could not open '{text}': {e.Message}", exitCode);
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

    private static ImageReference FromOptions(string text, Dictionary<string, object?> flat, string? statedFormat)
    {
        if (flat.GetValueOrDefault("file") is string node)
        {
            throw Invalid(text, $"Cannot find device='{node}' nor node-name='{node}'");
        }

        string? driver = flat.GetValueOrDefault("driver") as string;
        bool isProtocol = statedFormat is null && driver is "file" or "host_device";
        string? fileName = flat.GetValueOrDefault(isProtocol ? "filename" : "file.filename") as string;
        driver = statedFormat ?? driver;
        if (driver is null && fileName is null)
        {
            throw Invalid(text, "Must specify either driver or file");
        }

        if (driver is not null && !isProtocol && FormatRegistry.Find(driver) is null)
        {
            throw Invalid(text, $"Unknown driver '{driver}'");
        }

        string? protocol = flat.GetValueOrDefault("file.driver") as string;
        if (fileName is null || protocol is not (null or "file" or "host_device"))
        {
            throw Invalid(text, "A block device must be specified for \"file\"");
        }

        Dictionary<string, string> options = [];
        QDict significant = [];
        foreach ((string key, object? value) in flat)
        {
            Sort(text, key, value, isProtocol ? "" : "file.", driver, options, significant);
        }

        return new ImageReference(text, fileName, isProtocol ? "raw" : driver)
        {
            Options = options,
            Significant = significant.Count > 0 ? significant : null,
            IsProtocol = isProtocol,
            WithoutBacking = flat.TryGetValue("backing", out object? backing) && backing is null,
        };
    }

    // Files one option under the protocol, the generic block layer or the driver.
    private static void Sort(
        string text, string key, object? value, string protocolPrefix, string? driver, Dictionary<string, string> options, QDict significant)
    {
        if (key is "driver" or "file.driver" or "backing" || RuntimeOptions.IsGeneric(key))
        {
            if (key is "read-only" or "force-share" && value is string and not ("on" or "off"))
            {
                throw Invalid(text, $"Parameter '{key}' expects 'on' or 'off'");
            }

            return;
        }

        if (key.StartsWith(protocolPrefix, StringComparison.Ordinal))
        {
            string name = key[protocolPrefix.Length..];
            if (!RuntimeOptions.IsOfFile(name) && !RuntimeOptions.IsGeneric(name))
            {
                throw Invalid(text, $"Block protocol 'file' doesn't support the option '{name}'");
            }

            return;
        }

        if (driver is not null && !RuntimeOptions.IsOfDriver(driver, key))
        {
            throw Invalid(text, $"Block format '{driver}' does not support the option '{key}'");
        }

        string plain = value switch
        {
            bool flag => flag ? "on" : "off",
            null => "",
            _ => Convert.ToString(value, CultureInfo.InvariantCulture)!,
        };
        options[key] = plain;
        if (RuntimeOptions.IsSignificant(key))
        {
            significant.Add(key, value);
        }
    }

    private static ImageException Invalid(string text, string message) => new(ImageErrorKind.InvalidArgument, text, message);
}
