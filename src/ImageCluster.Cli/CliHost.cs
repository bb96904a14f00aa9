using Spectre.Console;

namespace ImageCluster.Cli;

/// <summary>What commands get of the process: where text goes, the clock, the current directory, and the wish to stop.</summary>
internal sealed class CliHost
{
    public required TextWriter Out { get; init; }

    public required TextWriter Error { get; init; }

    /// <summary>Standard output for tables and live pictures.</summary>
    public required IAnsiConsole Console { get; init; }

    public TimeProvider Time { get; init; } = TimeProvider.System;

    public string Directory { get; init; } = Environment.CurrentDirectory;

    /// <summary>A variable of the environment, or null.</summary>
    public Func<string, string?> Variable { get; init; } = Environment.GetEnvironmentVariable;

    /// <summary>Set by SIGINT and SIGTERM.</summary>
    public CancellationToken Stop { get; init; }

    /// <summary>The process's own streams. Where standard output is no terminal, tables are as wide as they need to be.</summary>
    public static CliHost ForProcess(CancellationToken stop)
    {
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(System.Console.Out) });
        if (!console.Profile.Out.IsTerminal)
        {
            console.Profile.Width = 1000;
        }

        return new CliHost { Out = System.Console.Out, Error = System.Console.Error, Console = console, Stop = stop };
    }
}
