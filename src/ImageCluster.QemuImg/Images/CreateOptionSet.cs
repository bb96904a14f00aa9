using System.Globalization;
using ImageCluster.Imaging;
using ImageCluster.Imaging.Formats;
using ImageCluster.QemuImg.CommandLine;

namespace ImageCluster.QemuImg.Images;

/// <summary>
/// The values of <c>-o</c> for one format: parsed by the options' types, shown as "Formatting ..." shows them, listed by <c>-o help</c>.
/// </summary>
internal sealed class CreateOptionSet
{
    /// <summary>What follows a complaint about a size.</summary>
    public const string SizeHint =
        "Optional suffix k, M, G, T, P or E means kilo-, mega-, giga-, tera-, peta-\nand exabytes, respectively.\n";

    // What files take whatever the format (QEMU's protocol level), behind the format's own.
    private static readonly CreateOption[] FileOptions =
    [
        new("nocow", CreateOptionType.Flag, "Turn off copy-on-write (valid only on btrfs)"),
        new("preallocation", CreateOptionType.Text, "Preallocation mode (allowed values: off, falloc, full)"),
        new("extent_size_hint", CreateOptionType.Size, "Extent size hint for the image file, 0 to disable"),
    ];

    // What protocols take that do not create files: an export or a device that is there.
    private static readonly CreateOption[] ProtocolOptions =
    [
        new("size", CreateOptionType.Size, "Virtual disk size"),
        new("preallocation", CreateOptionType.Text, "Preallocation mode (allowed values: off)"),
    ];

    private readonly IReadOnlyList<CreateOption> _known;
    private readonly Dictionary<string, string> _values = [];

    // How QEMU shows sizes beyond 2^63-1: as negative numbers.
    private readonly Dictionary<string, string> _shown = [];

    /// <param name="known">In the order in which they are shown.</param>
    public CreateOptionSet(IReadOnlyList<CreateOption> known) => _known = known;

    /// <summary>A format's own options.</summary>
    public static CreateOptionSet OfFormat(ImageFormat format) => new(format.CreateOptions);

    /// <summary>A format's own options and those of files.</summary>
    public static CreateOptionSet OfFormatAndFile(ImageFormat format) => With(format, FileOptions);

    /// <summary>A format's own options and those of what is reached by a protocol.</summary>
    public static CreateOptionSet OfFormatAndProtocol(ImageFormat format) => With(format, ProtocolOptions);

    /// <summary>Options of a protocol's driver that stands for a format; with those of files where the target's name is of one.</summary>
    public static CreateOptionSet OfProtocol(bool withFile) =>
        new([.. ProtocolOptions, .. withFile ? FileOptions.Where(static option => option.Name != "preallocation") : []]);

    /// <summary>The values given, by name; sizes as plain numbers.</summary>
    public IReadOnlyDictionary<string, string> Values => _values;

    public string? Get(string name) => _values.GetValueOrDefault(name);

    /// <summary>The size of the disk was given as 2^64-1, by which QEMU knows that none was given.</summary>
    public bool LacksSize => _shown.GetValueOrDefault("size") == "-1";

    /// <summary>A size was given that QEMU takes for a negative number.</summary>
    public bool IsNegative(string name) => _shown.GetValueOrDefault(name)?.StartsWith('-') ?? false;

    public bool Has(string name) => _known.Any(option => option.Name == name);

    /// <summary>Sets a value that did not come through <c>-o</c>; false where there is no such option.</summary>
    public bool TrySet(string name, string value)
    {
        if (!Has(name))
        {
            return false;
        }

        _values[name] = value;
        return true;
    }

    /// <summary>Takes the text of <c>-o</c>.</summary>
    /// <exception cref="CommandException">An unknown option or a value that is not of its type; after <paramref name="context"/>.</exception>
    public void Parse(string text, string context)
    {
        foreach (KeyValueText.Item item in KeyValueText.Split(text))
        {
            // A name that is known as it stands is a switch, whether or not it begins with "no".
            KeyValueText.Item given = item.Value is null && Has(item.Name) ? new(item.Name, "on") : item.AsSwitch;
            CreateOption option = _known.FirstOrDefault(o => o.Name == given.Name)
                ?? throw new CommandException($"{context}Invalid parameter '{item.Name}'");
            _values[option.Name] = Read(option, given.Value!, context);
            _shown.Remove(option.Name);
            if (option.Type == CreateOptionType.Size && ByteSize.TryParseUnsigned(given.Value, out ulong size) && size > long.MaxValue)
            {
                _shown[option.Name] = unchecked((long)size).ToString(CultureInfo.InvariantCulture);
            }
        }
    }

    /// <summary>The line that create prints: what is given and what is so by default, in the options' order.</summary>
    public string Describe()
    {
        List<string> parts = [];
        foreach (CreateOption option in _known)
        {
            if (_shown.TryGetValue(option.Name, out string? value) || _values.TryGetValue(option.Name, out value))
            {
                parts.Add($"{option.Name}={(option.Type == CreateOptionType.Text ? value.Replace(",", ",,", StringComparison.Ordinal) : value)}");
            }
            else if (option.Default is not null)
            {
                parts.Add($"{option.Name}={option.Default}");
            }
        }

        return string.Join(' ', parts);
    }

    /// <summary>The lines of <c>-o help</c>, sorted.</summary>
    public void WriteHelp(TextWriter output)
    {
        foreach (string line in _known.Select(HelpLine).Order(StringComparer.Ordinal))
        {
            output.Write(line + "\n");
        }
    }

    private static CreateOptionSet With(ImageFormat format, CreateOption[] below) =>
        new([.. format.CreateOptions, .. below.Where(o => format.CreateOptions.All(own => own.Name != o.Name))]);

    private static string HelpLine(CreateOption option)
    {
        string type = option.Type switch
        {
            CreateOptionType.Size => "size",
            CreateOptionType.Number => "num",
            CreateOptionType.Flag => "bool (on/off)",
            _ => "str",
        };
        return $"{$"  {option.Name}=<{type}>",-24} - {option.Help}";
    }

    /// <summary>True for a number as such that is larger than any that QEMU counts with.</summary>
    public static bool IsBeyond64Bits(string text, bool takesSuffix)
    {
        int shift = takesSuffix && text.Length > 1 ? "BKMGTPE".IndexOf(char.ToUpperInvariant(text[^1]), StringComparison.Ordinal) * 10 : -1;
        return UInt128.TryParse(shift < 0 ? text : text[..^1], NumberStyles.None, CultureInfo.InvariantCulture, out UInt128 value)
            && value > (UInt128)ulong.MaxValue >> Math.Max(shift, 0);
    }

    private static string Read(CreateOption option, string value, string context)
    {
        switch (option.Type)
        {
            case CreateOptionType.Size when IsBeyond64Bits(value, takesSuffix: true):
                throw new CommandException($"{context}Value '{value}' is out of range for parameter '{option.Name}'");
            case CreateOptionType.Number when IsBeyond64Bits(value, takesSuffix: false):
                throw new CommandException($"{context}Value '{value}' is too large for parameter '{option.Name}'");
            case CreateOptionType.Size:
                // What is larger than any size is as good as the largest.
                return ByteSize.TryParseUnsigned(value, out ulong bytes)
                    ? Math.Min(bytes, long.MaxValue).ToString(CultureInfo.InvariantCulture)
                    : throw new CommandException($"{context}Parameter '{option.Name}' expects a non-negative number below 2^64") { Hint = SizeHint };
            case CreateOptionType.Number:
                return CInteger.TryParse(value, out long number)
                    ? number.ToString(CultureInfo.InvariantCulture)
                    : throw new CommandException($"{context}Parameter '{option.Name}' expects a number");
            case CreateOptionType.Flag when value is not ("on" or "off" or "yes" or "no" or "true" or "false" or "y" or "n"):
                throw new CommandException($"{context}Parameter '{option.Name}' expects 'on' or 'off'");
            default:
                return value;
        }
    }
}
