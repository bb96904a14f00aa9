using System.Globalization;
using ImageCluster.Imaging;
using ImageCluster.QemuImg.CommandLine;

namespace ImageCluster.QemuImg.Commands;

/// <summary>Sizes on the command line, with qemu-img's complaints.</summary>
internal static class SizeArgument
{
    /// <summary>A size in bytes, 0 to 2^63-1, from digits, a fraction and a suffix.</summary>
    public static long Parse(CommandHost host, string what, string text) => Parse(host, what, text, 0, long.MaxValue);

    /// <summary>As <see cref="Parse(CommandHost, string, string)"/>, within limits.</summary>
    public static long Parse(CommandHost host, string what, string text, long min, long max)
    {
        SizeFault fault = TryParse(text, out long bytes);
        if (fault == SizeFault.OutOfRange || (fault == SizeFault.None && (bytes < min || bytes > max)))
        {
            throw new CommandException(string.Create(CultureInfo.InvariantCulture, $"Invalid {what} specified. Must be between {min} and {max}."));
        }

        if (fault == SizeFault.Malformed)
        {
            host.Error($"Invalid {what} specified. You may use k, M, G, T, P or E suffixes for");
            throw new CommandException("kilobytes, megabytes, gigabytes, terabytes, petabytes and exabytes.");
        }

        if (text.TrimStart().StartsWith("0x", StringComparison.OrdinalIgnoreCase) && !char.IsAsciiHexDigit(text[^1]))
        {
            host.Warning($"Using a multiplier suffix on hex numbers is deprecated: {text}");
        }

        return bytes;
    }

    /// <summary>Parses a size and says what is wrong with it; a number beyond 2^63-1 is out of range.</summary>
    public static SizeFault TryParse(string text, out long bytes)
    {
        if (ByteSize.TryParse(text, out bytes))
        {
            return SizeFault.None;
        }

        // What is a number, but too large, has digits and at most a suffix.
        string digits = text.TrimStart();
        string body = digits.Length > 0 && char.IsAsciiLetter(digits[^1]) && !digits.StartsWith("0x", StringComparison.OrdinalIgnoreCase) ? digits[..^1] : digits;
        bool isNumber = body.Length > 0 && body.All(static c => char.IsAsciiDigit(c) || c == '.') && char.IsAsciiDigit(body[0]) && body.Count(static c => c == '.') <= 1;
        return isNumber && double.TryParse(body, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double value)
            && (value >= long.MaxValue || (digits.Length > body.Length && "bkmgtpe".Contains(char.ToLowerInvariant(digits[^1])) && !body.Contains('.')))
            ? SizeFault.OutOfRange
            : SizeFault.Malformed;
    }
}

/// <summary>What is wrong with a size.</summary>
internal enum SizeFault
{
    None,
    Malformed,
    OutOfRange,
}
