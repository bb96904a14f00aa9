using ImageCluster.Imaging;

namespace ImageCluster.Work;

/// <summary>Errors as one line: the file, what is wrong, what to do.</summary>
public static class ErrorText
{
    /// <param name="e">What went wrong.</param>
    /// <param name="known">A file that the line is about anyway: it is not named again.</param>
    public static string Of(ImageException e, string? known = null)
    {
        bool isNamed = e.File is null || e.File == known || e.Message.Contains(e.File, StringComparison.Ordinal);
        return Join(isNamed ? e.Message : $"{e.File}: {e.Message}", e.Hint);
    }

    /// <summary>A message and what to do about it, each with its full stop where both stand in the line.</summary>
    public static string Join(string message, string? hint)
    {
        message = OneLine(message);
        return hint is null ? message : $"{message.TrimEnd('.')}. {Capital(OneLine(hint).TrimEnd('.'))}.";
    }

    /// <summary>Names of files may hold anything: what would break the line or drive the terminal is shown as an escape.</summary>
    public static string OneLine(string text)
    {
        if (!text.AsSpan().ContainsAnyInRange('\0', '\x1f') && !text.AsSpan().ContainsAnyInRange('\x7f', '\x9f'))
        {
            return text;
        }

        return string.Concat(text.Select(c => char.IsControl(c) ? $"\\x{(int)c:x2}" : c.ToString()));
    }

    private static string Capital(string text) => text.Length == 0 || !char.IsAsciiLetterLower(text[0]) ? text : char.ToUpperInvariant(text[0]) + text[1..];
}
