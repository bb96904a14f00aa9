namespace ImageCluster.QemuImg.CommandLine;

/// <summary>An option of a command: one row of the table that parsing, help, completion and the reference page are made from.</summary>
/// <param name="Short">The letter after one dash, or '\0' where there is only a long name.</param>
/// <param name="Long">The name after two dashes, or null where there is only a letter.</param>
/// <param name="Argument">What help calls the argument; null where the option takes none.</param>
/// <param name="Help">What it does: one sentence without a full stop.</param>
internal sealed record OptionSpec(char Short, string? Long, string? Argument, string Help)
{
    /// <summary>By what the commands tell options apart: the letter where there is one, else the long name.</summary>
    public string Key { get; } = Short != '\0' ? Short.ToString() : Long!;

    /// <summary>The argument's possible values where there are few; for completion.</summary>
    public IReadOnlyList<string> Values { get; init; } = [];

    /// <summary>The argument names a file; for completion.</summary>
    public bool IsFile { get; init; }

    /// <summary>The argument names an image format; for completion.</summary>
    public bool IsFormat { get; init; }

    /// <summary>As help and messages write it: <c>-f, --format=FMT</c>.</summary>
    public string Spelling
    {
        get
        {
            string text = (Short, Long) switch
            {
                ('\0', _) => $"--{Long}",
                (_, null) => $"-{Short}",
                _ => $"-{Short}, --{Long}",
            };
            return Argument is null ? text : $"{text}{(Long is null ? ' ' : '=')}{Argument}";
        }
    }
}
