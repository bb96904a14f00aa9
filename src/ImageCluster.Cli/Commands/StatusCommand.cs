using System.CommandLine;
using ImageCluster.Api;
using ImageCluster.Api.Documents;
using ImageCluster.Cli.Remote;

namespace ImageCluster.Cli.Commands;

/// <summary><c>imagecluster status</c>: what a cluster does.</summary>
internal static class StatusCommand
{
    public static Command Create(CliHost host)
    {
        var options = new RemoteOptions();
        var id = new Argument<string?>("ID") { Description = "A migration or a job [default: the list of migrations].", Arity = ArgumentArity.ZeroOrOne };
        var all = new Option<bool>("--all") { Description = "Those that are over too." };
        var jobs = new Option<bool>("--jobs") { Description = "List single jobs instead of migrations; with ID those of that migration." };
        var images = new Option<bool>("--images") { Description = "With a migration: all of its images, not only those in work." };
        var command = new Command("status", "Show the migrations and jobs of a cluster.") { id, all, jobs, images };
        options.AddTo(command);
        command.SetAction(parsed => RemoteCall.Run(parsed, options, host, (call, stop) => (parsed.GetValue(id), parsed.GetValue(jobs)) switch
        {
            (var migration, true) => JobsAsync(call, migration, parsed.GetValue(all), stop),
            (null, _) => MigrationsAsync(call, parsed.GetValue(all), stop),
            ({ } one, _) => OneAsync(call, one, parsed.GetValue(images), stop),
        }));
        return command;
    }

    private static async Task<int> MigrationsAsync(RemoteCall call, bool all, CancellationToken stop)
    {
        MigrationList list = await call.Client.ListMigrationsAsync(new ListQuery { State = all ? null : ListQuery.Active, Limit = ListQuery.MaxLimit }, stop);
        if (call.AsJson)
        {
            call.WriteJson(list, ApiJsonForms.Indented.MigrationList);
        }
        else
        {
            RemoteTables.Migrations(call.Host.Console, list, all, call.Host.Time);
        }

        return ExitCode.Done;
    }

    private static async Task<int> JobsAsync(RemoteCall call, string? migration, bool all, CancellationToken stop)
    {
        var query = new ListQuery { State = all ? null : ListQuery.Active, Migration = migration, Limit = ListQuery.MaxLimit };
        JobList list = await call.Client.ListJobsAsync(query, stop);
        if (call.AsJson)
        {
            call.WriteJson(list, ApiJsonForms.Indented.JobList);
        }
        else
        {
            RemoteTables.Jobs(call.Host.Console, list, all);
        }

        return ExitCode.Done;
    }

    private static async Task<int> OneAsync(RemoteCall call, string id, bool images, CancellationToken stop)
    {
        MigrationDocument migration;
        try
        {
            migration = await call.Client.GetMigrationAsync(id, stop);
        }
        catch (OperationRefusedException e) when (e.Reason == RefusalReason.NotFound)
        {
            return await JobAsync(call, id, stop);
        }

        if (call.AsJson && !images)
        {
            call.WriteJson(migration, ApiJsonForms.Indented.MigrationDocument);
        }
        else if (!call.AsJson)
        {
            RemoteTables.Migration(call.Host.Console, images ? migration with { Running = [] } : migration, call.Host.Time);
        }

        if (images)
        {
            List<MigrationImageDocument> every = await ImagesAsync(call, id, stop);
            if (call.AsJson)
            {
                call.WriteJson(new MigrationImageList(every, every.Count), ApiJsonForms.Indented.MigrationImageList);
            }
            else
            {
                RemoteTables.Images(call.Host.Console, every);
            }
        }

        return ExitCode.Done;
    }

    private static async Task<int> JobAsync(RemoteCall call, string id, CancellationToken stop)
    {
        JobDocument job;
        try
        {
            job = await call.Client.GetJobAsync(id, stop);
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

        return ExitCode.Done;
    }

    private static async Task<List<MigrationImageDocument>> ImagesAsync(RemoteCall call, string id, CancellationToken stop)
    {
        var images = new List<MigrationImageDocument>();
        MigrationImageList part;
        do
        {
            part = await call.Client.ListMigrationImagesAsync(id, new ListQuery { Offset = images.Count, Limit = ListQuery.MaxLimit }, stop);
            images.AddRange(part.Items);
        }
        while (part.Items.Count > 0 && images.Count < part.Total);
        return images;
    }
}
