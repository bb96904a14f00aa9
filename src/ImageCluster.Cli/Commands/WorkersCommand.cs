using System.CommandLine;
using ImageCluster.Api;
using ImageCluster.Api.Documents;
using ImageCluster.Cli.Remote;

namespace ImageCluster.Cli.Commands;

/// <summary><c>imagecluster workers</c>: who does the work.</summary>
internal static class WorkersCommand
{
    public static Command Create(CliHost host)
    {
        var options = new RemoteOptions();
        var command = new Command("workers", "Show the workers of a cluster, and what waits for them.");
        options.AddTo(command);
        command.SetAction(parsed => RemoteCall.Run(parsed, options, host, async (call, stop) =>
        {
            WorkerList list = await call.Client.ListWorkersAsync(stop);
            if (call.AsJson)
            {
                call.WriteJson(list, ApiJsonForms.Indented.WorkerList);
            }
            else
            {
                RemoteTables.Workers(call.Host.Console, list, await call.Client.GetQueueAsync(stop));
            }

            return ExitCode.Done;
        }));
        return command;
    }
}
