using System.Globalization;

namespace ImageCluster.Imaging.Formats;

/// <summary>Reads typed values out of <c>-o</c> options; complaints in QEMU's words.</summary>
public sealed class OptionReader(IReadOnlyDictionary<string, string> options, string? file)
{
    public string? Text(string name) => options.TryGetValue(name, out string? value) ? value : null;

    /// <summary>on/off (also yes/no, true/false, y/n), <paramref name="otherwise"/> where it is not given.</summary>
    public bool Flag(string name, bool otherwise) => Text(name) switch
    {
        null => otherwise,
        "on" or "yes" or "true" or "y" => true,
        "off" or "no" or "false" or "n" => false,
        _ => throw Invalid($"Parameter '{name}' expects 'on' or 'off'"),
    };

    /// <summary>A size in bytes: digits, a fraction and a suffix b, k, M, G, T, P or E (powers of 1,024).</summary>
    public long Size(string name, long otherwise)
    {
        string? text = Text(name);
        if (text is null)
        {
            return otherwise;
        }

        return ByteSize.TryParse(text, out long value)
            ? value
            : throw new ImageException(ImageErrorKind.InvalidArgument, file, $"Parameter '{name}' expects a non-negative number below 2^64")
            {
                Hint = "Optional suffix k, M, G, T, P or E means kilo-, mega-, giga-, tera-, peta-\nand exabytes, respectively.\n",
            };
    }

    /// <summary>As <see cref="Size"/>, up to 2^64-1.</summary>
    public ulong UnsignedSize(string name, ulong otherwise) =>
        Text(name) is { } text && ByteSize.TryParseUnsigned(text, out ulong value) && value > long.MaxValue ? value : (ulong)Size(name, (long)otherwise);

    public long Number(string name, long otherwise)
    {
        string? text = Text(name);
        if (text is null)
        {
            return otherwise;
        }

        return long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long value)
            ? value
            : throw Invalid($"Parameter '{name}' expects a number");
    }

    /// <summary>One of <paramref name="choices"/>.</summary>
    public string Choice(string name, string otherwise, params ReadOnlySpan<string> choices)
    {
        string value = Text(name) ?? otherwise;
        foreach (string choice in choices)
        {
            if (choice == value)
            {
                return value;
            }
        }

        throw Invalid(name == "preallocation" ? $"invalid parameter value: {value}" : $"Parameter '{name}' does not accept value '{value}'");
    }

    /// <summary>How room for the file itself is taken: off, falloc or full. A format that has modes of its own reads them itself.</summary>
    public string FilePreallocation() => Choice("preallocation", "off", "off", "metadata", "falloc", "full") is not "metadata" and var mode
        ? mode
        : throw new ImageException(ImageErrorKind.Unsupported, file, "Unsupported preallocation mode: metadata");

    private ImageException Invalid(string message) => new(ImageErrorKind.InvalidArgument, file, message);
}
