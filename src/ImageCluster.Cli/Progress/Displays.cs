using Spectre.Console;

namespace ImageCluster.Cli.Progress;

/// <summary>What <c>--output</c> may be.</summary>
internal enum OutputForm
{
    /// <summary>A live picture where standard output is a terminal, else plain lines.</summary>
    Auto,
    Plain,

    /// <summary>A JSON object a line while it runs.</summary>
    JsonLines,

    /// <summary>One JSON document at the end.</summary>
    Json,
}

/// <summary>Chooses the display.</summary>
internal static class Displays
{
    private static readonly TimeSpan PlainInterval = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan JsonInterval = TimeSpan.FromSeconds(1);

    public static IProgressDisplay For(OutputForm form, IAnsiConsole console, TextWriter output) => form switch
    {
        OutputForm.Json => new SilentDisplay(),
        OutputForm.JsonLines => new JsonLinesDisplay(output, JsonInterval),
        OutputForm.Auto when IsTerminal(console) => new TerminalDisplay(console),
        _ => new PlainDisplay(output, PlainInterval),
    };

    /// <summary>True where a picture can be redrawn in place.</summary>
    public static bool IsTerminal(IAnsiConsole console) => console.Profile.Out.IsTerminal && console.Profile.Capabilities.Ansi;
}
