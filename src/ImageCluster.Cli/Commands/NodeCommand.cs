using System.CommandLine;
using ImageCluster.Cli.Remote;

namespace ImageCluster.Cli.Commands;

/// <summary><c>imagecluster node</c>: becomes the server process, which has its own settings and help.</summary>
internal static class NodeCommand
{
    public const string Name = "node";

    /// <summary>For the help only: <see cref="Run"/> takes over before arguments are parsed.</summary>
    public static Command Create(CliHost host)
    {
        var command = new Command(Name, "Be a node of a cluster: a coordinator, a worker or both ('imagecluster node --help').") { TreatUnmatchedTokensAsErrors = false };
        command.SetAction(parsed => Run([.. parsed.UnmatchedTokens], host));
        return command;
    }

    public static int Run(string[] arguments, CliHost host) => Find(host).Become(arguments);

    /// <exception cref="CliException">It was not built.</exception>
    public static NodeProgram Find(CliHost host) => NodeProgram.Find(AppContext.BaseDirectory, host.Variable)
        ?? throw CliException.Refused("the node was not built here: its packages (Akka.NET) could not be restored; there are only the commands for one machine",
            "'imagecluster build' tries again and says why");
}
