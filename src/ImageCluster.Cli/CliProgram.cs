using System.CommandLine;
using ImageCluster.Cli.Commands;
using ImageCluster.Cli.Remote;
using ImageCluster.Imaging;
using ImageCluster.Work;

namespace ImageCluster.Cli;

/// <summary>The command line: every command in one list, and how what goes wrong becomes one line and an exit code.</summary>
internal static class CliProgram
{
    public static int Run(string[] args, CliHost host)
    {
        try
        {
            ParseResult parsed = Root(host).Parse(args.Length == 0 ? ["--help"] : args, new ParserConfiguration { ResponseFileTokenReplacer = null });
            if (parsed.Errors.Count > 0 && parsed.Action is not CommandHelp)
            {
                string command = CommandLineOf(parsed);
                string message = parsed.UnmatchedTokens.Count > 0 ? $"unknown command or argument '{parsed.UnmatchedTokens[0]}'" : parsed.Errors[0].Message;
                host.Error.WriteLine($"imagecluster: {ErrorText.Join(message, $"try '{command} --help'")}");
                return ExitCode.Usage;
            }

            return parsed.Invoke(new InvocationConfiguration
            {
                Output = host.Out,
                Error = host.Error,
                EnableDefaultExceptionHandler = false,
                ProcessTerminationTimeout = null,
            });
        }
        catch (CliException e)
        {
            host.Error.WriteLine($"imagecluster: {ErrorText.Join(e.Message, e.Hint)}");
            return e.ExitCode;
        }
        catch (ImageException e)
        {
            host.Error.WriteLine($"imagecluster: {ErrorText.Of(e)}");
            return ExitCode.SomeFailed;
        }
        catch (OperationCanceledException) when (host.Stop.IsCancellationRequested)
        {
            host.Error.WriteLine("imagecluster: stopped");
            return ExitCode.Interrupted;
        }
    }

    private static RootCommand Root(CliHost host)
    {
        Command migrate = MigrateCommand.Create(host);
        Command demo = DemoCommand.Create(host);
        Command digest = DigestCommand.Create(host);
        Command ova = OvaCommand.Create(host);
        Command submit = SubmitCommand.Create(host);
        var root = new RootCommand("Converts virtual disk images at scale: whole directories, verified, and resumed after any interruption.")
        {
            migrate,
            demo,
            digest,
            ova,
            ImgCommand.Create(),
            submit,
            StatusCommand.Create(host),
            WatchCommand.Create(host),
            ImagesCommand.Create(host),
            WorkersCommand.Create(host),
            OperatorCommandLine.Create(host),
            NodeCommand.Create(host),
            VersionCommand.Create(host),
        };
        foreach (Command action in ActionCommands.Create(host))
        {
            root.Subcommands.Add(action);
        }

        var remarks = new Dictionary<Command, string>
        {
            [root] = "Start with 'imagecluster demo'. Documentation: docs/migrate.md and docs/manifest.md.",
            [migrate] = MigrateCommand.Remarks,
            [demo] = DemoCommand.Remarks,
            [digest] = DigestCommand.Remarks,
            [ova] = OvaCommand.Remarks,
            [submit] = SubmitCommand.Remarks,
        };
        foreach (Command remote in root.Subcommands.Where(command => command.Options.Any(option => option.Name == "--cluster")))
        {
            remarks.TryAdd(remote, RemoteOptions.Remarks);
        }

        CommandHelp.Attach(root, remarks);
        return root;
    }

    private static string CommandLineOf(ParseResult parsed) =>
        parsed.CommandResult.Command is RootCommand ? "imagecluster" : $"imagecluster {parsed.CommandResult.Command.Name}";
}
