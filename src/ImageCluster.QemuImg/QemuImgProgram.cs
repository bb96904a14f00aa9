using ImageCluster.Imaging;
using ImageCluster.Imaging.Formats.Filters.Several;
using ImageCluster.Imaging.Storage;
using ImageCluster.QemuImg.CommandLine;
using ImageCluster.QemuImg.Help;

namespace ImageCluster.QemuImg;

/// <summary>The whole command line, for a process of its own and for programs that embed it.</summary>
public static class QemuImgProgram
{
    private static readonly OptionSpec[] StandardOptions =
    [
        CommonOptions.Help,
        new('V', "version", null, "show the version and exit"),
        new('T', "trace", "PATTERN", "taken for compatibility; there are no trace events"),
    ];

    /// <summary>Runs as a process: standard output is buffered like C's (in full, or by line on a terminal), the name is the one called by.</summary>
    /// <param name="args">The last of the process's arguments: those behind the program's name.</param>
    /// <param name="name">What messages start with; null for the name that the process was called by.</param>
    public static int RunProcess(string[] args, string? name = null)
    {
        StandardFiles.Secure();
        QuietSignals.Install();
        using var errors = new StandardStream(Console.OpenStandardError(), isBuffered: false);
        using var output = new StandardStream(Console.OpenStandardOutput(), isBuffered: Console.IsOutputRedirected);
        name ??= CalledBy();
        int exitCode = Run(name, ProcessArguments.Exact(args), output, errors);
        if (output.Failure is { } failure)
        {
            errors.Write($"{name}: Could not write to standard output: {failure}\n");
        }

        return exitCode;
    }

    /// <summary>Runs one command.</summary>
    /// <param name="programName">What messages start with: the name by which the program was called, without its directory.</param>
    /// <param name="args">The arguments behind the program's name.</param>
    /// <param name="output">Standard output.</param>
    /// <param name="errors">Standard error.</param>
    /// <returns>The exit code.</returns>
    public static int Run(string programName, string[] args, TextWriter output, TextWriter errors) =>
        Run(programName, args, output, errors, new LocalFileLocator());

    internal static int Run(string programName, string[] args, TextWriter output, TextWriter errors, IFileLocator locator)
    {
        var host = new CommandHost(programName, output, errors, locator);
        try
        {
            return Dispatch(host, args);
        }
        catch (CommandException e)
        {
            if (e.Message.Length > 0)
            {
                host.Error(e.Message);
            }

            errors.Write(e.Hint);
            return e.ExitCode;
        }
        catch (DisagreementException e)
        {
            errors.Write(e.Message + "\n");
            return 1;
        }
        catch (ImageException e)
        {
            host.Error(e.File is null ? "" : $"{e.File}: ", e);
            return 1;
        }
        finally
        {
            output.Flush();
            errors.Flush();
        }
    }

    private static int Dispatch(CommandHost host, string[] args)
    {
        var scanner = new OptionScanner(StandardOptions, [host.ProgramName, .. args], permute: false);
        while (scanner.Next() is { } option)
        {
            switch (option.Key)
            {
                case "h":
                    HelpText.Write(host.Out);
                    return 0;
                case "V":
                    HelpText.WriteVersion(host.Out);
                    return 0;
                default:
                    Trace(host, option.Argument);
                    break;
            }
        }

        string[] rest = scanner.Operands.ToArray();
        if (rest is not [string name, ..])
        {
            throw new UsageException("Not enough arguments");
        }

        CommandSpec command = CommandTable.Find(name) ?? throw new UsageException($"Command not found: {name}");
        return command.Run(host, rest);
    }

    // There are no trace events: what is said is what qemu-img says of an event that it does not know.
    private static void Trace(CommandHost host, string argument)
    {
        foreach (string part in argument.Split(','))
        {
            int equals = part.IndexOf('=');
            if (equals < 0 || part.StartsWith("enable=", StringComparison.Ordinal))
            {
                host.Warning($"trace event '{part[(equals + 1)..]}' does not exist");
            }
        }
    }

    // argv[0]. A program that the runtime starts from a dll shows the dll's path there; the kernel knows better.
    private static string CalledBy()
    {
        string name = Environment.GetCommandLineArgs()[0];
        if (name.EndsWith(".dll", StringComparison.Ordinal))
        {
            name = ProcessArguments.ReadFromKernel() is [var zero, ..] && Path.GetFileName(zero) != "dotnet" ? zero : name[..^4];
        }

        return Path.GetFileName(name);
    }
}
