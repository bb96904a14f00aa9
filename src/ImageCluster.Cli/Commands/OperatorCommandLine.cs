using System.CommandLine;
using ImageCluster.Api.Operating;
using ImageCluster.Cli.Remote;

namespace ImageCluster.Cli.Commands;

/// <summary><c>imagecluster operator</c>: every command of the operator's table, as a console has them.</summary>
internal static class OperatorCommandLine
{
    public static Command Create(CliHost host)
    {
        var command = new Command("operator", "Every command of an operator: single jobs, stuck leases, ... (docs/operator.md).");
        foreach (OperatorPalette palette in OperatorTable.All)
        {
            var words = new Command(palette.Name, palette.Description);
            foreach (OperatorCommand entry in palette.Commands)
            {
                words.Subcommands.Add(Create(host, palette, entry));
            }

            command.Subcommands.Add(words);
        }

        return command;
    }

    private static Command Create(CliHost host, OperatorPalette palette, OperatorCommand entry)
    {
        var options = new RemoteOptions();
        var arguments = entry.Arguments.Select(argument => (argument.Name, Option: new Option<string?>(argument.Switches[^1], [.. argument.Switches.SkipLast(1)])
        {
            Description = argument.Description,
            HelpName = argument.Hints is { } hints ? string.Join('|', hints) : argument.Name.ToUpperInvariant(),
            Required = argument.IsMandatory,
        })).ToList();
        var command = new Command(entry.Name, entry.Description);
        arguments.ForEach(argument => command.Options.Add(argument.Option));
        command.Options.Add(options.Cluster);
        command.Options.Add(options.TokenFile);
        command.SetAction(parsed => RemoteCall.Run(parsed, options, host, asJson: false, async (call, stop) =>
        {
            var given = arguments.Where(argument => parsed.GetValue(argument.Option) is not null)
                .Select(argument => KeyValuePair.Create(argument.Name, parsed.GetValue(argument.Option)!));
            OperatorCommand run = entry;
            string text = await run.Run(
                new OperatorCall(call.Client, OperatorArguments.Bind(run, given), RemoteCall.By, file => ManifestFile.ReadText(Path.GetFullPath(file, host.Directory), file)), stop);
            host.Out.WriteLine(text);
            return ExitCode.Done;
        }));
        return command;
    }
}
