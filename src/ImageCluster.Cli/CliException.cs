namespace ImageCluster.Cli;

/// <summary>Ends a command with one line on standard error that says what is wrong and what to do.</summary>
internal sealed class CliException(int exitCode, string message, string? hint = null) : Exception(message)
{
    public int ExitCode { get; } = exitCode;

    /// <summary>What to do about it; null where the message says it all.</summary>
    public string? Hint { get; } = hint;

    public static CliException Usage(string message, string? hint = null) => new(Cli.ExitCode.Usage, message, hint);

    public static CliException Refused(string message, string? hint = null) => new(Cli.ExitCode.Refused, message, hint);
}
