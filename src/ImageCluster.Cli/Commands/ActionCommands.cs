using System.CommandLine;
using ImageCluster.Api;
using ImageCluster.Api.Documents;
using ImageCluster.Cli.Remote;

namespace ImageCluster.Cli.Commands;

/// <summary><c>imagecluster pause</c>, <c>resume</c>, <c>cancel</c> and <c>retry</c>: a migration, or a single job.</summary>
internal static class ActionCommands
{
    public static IReadOnlyList<Command> Create(CliHost host) =>
    [
        Create(host, "pause", "Start nothing new of a migration or job; what is in work is finished.", ActionKind.Pause),
        Create(host, "resume", "Go on with what was paused.", ActionKind.Resume),
        Create(host, "cancel", "End a migration or job; unfinished targets are removed.", ActionKind.Cancel),
        Create(host, "retry", "Try again what failed or was cancelled.", ActionKind.Retry),
    ];

    private static Command Create(CliHost host, string name, string description, ActionKind action)
    {
        var options = new RemoteOptions();
        var id = new Argument<string>("ID") { Description = "A migration or a job." };
        var command = new Command(name, description) { id };
        options.AddTo(command);
        command.SetAction(parsed => RemoteCall.Run(parsed, options, host, (call, stop) => ActAsync(call, parsed.GetValue(id)!, action, stop)));
        return command;
    }

    private static async Task<int> ActAsync(RemoteCall call, string id, ActionKind action, CancellationToken stop)
    {
        var request = new ActionRequest(RemoteCall.By);
        try
        {
            MigrationDocument migration = await call.Client.ActOnMigrationAsync(id, action, request, stop);
            if (call.AsJson)
            {
                call.WriteJson(migration, ApiJsonForms.Indented.MigrationDocument);
            }
            else
            {
                RemoteTables.Migration(call.Host.Console, migration, call.Host.Time);
            }
        }
        catch (OperationRefusedException e) when (e.Reason == RefusalReason.NotFound)
        {
            await ActOnJobAsync(call, id, action, request, stop);
        }

        return ExitCode.Done;
    }

    private static async Task ActOnJobAsync(RemoteCall call, string id, ActionKind action, ActionRequest request, CancellationToken stop)
    {
        JobDocument job;
        try
        {
            job = await call.Client.ActOnJobAsync(id, action, request, stop);
        }
        catch (OperationRefusedException e) when (e.Reason == RefusalReason.NotFound)
        {
            throw CliException.Refused($"there is no migration or job '{id}'");
        }

        if (call.AsJson)
        {
            call.WriteJson(job, ApiJsonForms.Indented.JobDocument);
        }
        else
        {
            RemoteTables.Job(call.Host.Console, job, call.Host.Time);
        }
    }
}
