namespace ImageCluster.QemuImg.CommandLine;

/// <summary>Ends a command: a message after the program's name on standard error, and an exit code.</summary>
/// <param name="message">Without the program's name.</param>
/// <param name="exitCode">The program's.</param>
/// <param name="inner">The engine's failure, where there is one and who calls may want it.</param>
internal class CommandException(string message, int exitCode = 1, Exception? inner = null) : Exception(message, inner)
{
    public int ExitCode { get; } = exitCode;

    /// <summary>Printed as it is after the message, its own line ends included; null for none.</summary>
    public string? Hint { get; init; }
}

/// <summary>The command line itself is wrong: points to help.</summary>
internal class UsageException : CommandException
{
    public UsageException(string message)
        : base(message) => Hint = "Try 'qemu-img --help' for more information\n";
}
