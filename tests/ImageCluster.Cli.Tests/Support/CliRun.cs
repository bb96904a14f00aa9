using System.Text.Json.Nodes;
using Spectre.Console;

namespace ImageCluster.Cli.Tests.Support;

/// <summary>A command line run in this process: what a process would have written, and its exit code.</summary>
internal sealed record CliRun(int ExitCode, string Output, string Error)
{
    /// <summary>Standard output as one JSON document.</summary>
    public JsonNode Json => JsonNode.Parse(Output)!;

    /// <summary>Standard output as JSON, a document a line.</summary>
    public IReadOnlyList<JsonNode> JsonLines => [.. Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonNode.Parse(line)!)];

    public static CliRun Of(string directory, params string[] arguments) => Of(directory, CancellationToken.None, arguments);

    public static CliRun Of(string directory, CancellationToken stop, params string[] arguments)
    {
        StringWriter output = new();
        StringWriter error = new();
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Ansi = AnsiSupport.No,
            Interactive = InteractionSupport.No,
            Out = new AnsiConsoleOutput(TextWriter.Synchronized(output)),
        });
        console.Profile.Width = 1000;
        var host = new CliHost
        {
            Out = TextWriter.Synchronized(output),
            Error = TextWriter.Synchronized(error),
            Console = console,
            Directory = directory,
            Stop = stop,
        };
        int exitCode = CliProgram.Run(arguments, host);
        return new CliRun(exitCode, output.ToString(), error.ToString());
    }

    /// <summary>Fails the test, showing what was written, unless the exit code is as expected.</summary>
    public CliRun Expect(int exitCode)
    {
        Assert.True(ExitCode == exitCode, $"exit code {ExitCode}, expected {exitCode}\n{Error}\n{Output}");
        return this;
    }
}
