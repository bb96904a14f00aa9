using System.CommandLine;
using ImageCluster.Api;
using ImageCluster.Api.Documents;
using ImageCluster.Cli.Progress;
using ImageCluster.Cli.Remote;

namespace ImageCluster.Cli.Commands;

/// <summary><c>imagecluster watch</c>: a migration on a cluster, live, until it is over.</summary>
internal static class WatchCommand
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    public static Command Create(CliHost host)
    {
        var options = new RemoteOptions();
        options.Output.Description = "'auto' (the default), 'plain', 'json-lines' while it runs, or 'json' at the end.";
        var id = new Argument<string>("ID") { Description = "The migration." };
        var command = new Command("watch", "Watch a migration on a cluster until it is over.") { id };
        options.AddTo(command);
        command.SetAction(parsed =>
        {
            OutputForm form = parsed.GetValue(options.Output) switch
            {
                null or "auto" => OutputForm.Auto,
                "plain" => OutputForm.Plain,
                "json-lines" => OutputForm.JsonLines,
                "json" => OutputForm.Json,
                string other => throw CliException.Usage($"--output '{other}' is not known", "use auto, plain, json-lines or json"),
            };
            return RemoteCall.Run(parsed, options, host, form == OutputForm.Json, (call, stop) => WatchAsync(call, parsed.GetValue(id)!, form, stop));
        });
        return command;
    }

    public static async Task<int> WatchAsync(RemoteCall call, string id, OutputForm form, CancellationToken stop)
    {
        var board = new ProgressBoard(id, call.Host.Time) { StopHint = "Ctrl-C stops watching, not the migration" };
        MigrationDocument? end = null;
        try
        {
            await Displays.For(form, call.Host.Console, call.Host.Out).Follow(board, async () => end = await new RemoteProgress(call.Client, id, board, Interval).FollowAsync(stop));
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            throw new CliException(ExitCode.Interrupted, $"stopped watching; migration {id} goes on");
        }

        if (form == OutputForm.Json)
        {
            call.WriteJson(end!, ApiJsonForms.Indented.MigrationDocument);
        }
        else if (form != OutputForm.JsonLines)
        {
            RemoteTables.Migration(call.Host.Console, end!, call.Host.Time);
        }

        return end!.State == "succeeded" ? ExitCode.Done : ExitCode.SomeFailed;
    }
}
