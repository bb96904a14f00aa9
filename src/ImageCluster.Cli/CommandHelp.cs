using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;

namespace ImageCluster.Cli;

/// <summary>The help of a command, with examples and remarks behind it that would be too long for the list of commands.</summary>
internal sealed class CommandHelp(HelpAction standard, IReadOnlyDictionary<Command, string> remarks) : SynchronousCommandLineAction
{
    public override bool ClearsParseErrors => true;

    /// <summary>Has the root's help option show remarks.</summary>
    public static void Attach(RootCommand root, IReadOnlyDictionary<Command, string> remarks)
    {
        HelpOption help = root.Options.OfType<HelpOption>().Single();
        help.Action = new CommandHelp((HelpAction)help.Action!, remarks);
    }

    public override int Invoke(ParseResult parseResult)
    {
        int result = standard.Invoke(parseResult);
        if (remarks.TryGetValue(parseResult.CommandResult.Command, out string? text))
        {
            parseResult.InvocationConfiguration.Output.WriteLine(text.TrimEnd());
            parseResult.InvocationConfiguration.Output.WriteLine();
        }

        return result;
    }
}
