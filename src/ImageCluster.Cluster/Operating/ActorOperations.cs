using System.Security.Cryptography;
using Akka.Actor;
using ImageCluster.Api;
using ImageCluster.Api.Documents;
using ImageCluster.Cluster.Messages;
using ImageCluster.Jobs;
using ImageCluster.Jobs.Execution;
using ImageCluster.Jobs.Images;
using ImageCluster.Jobs.Manifests;
using ImageCluster.Jobs.Migrations;

namespace ImageCluster.Cluster.Operating;

/// <summary>
/// Answers operations by asking the actors. All commands can come twice, so one that is not answered (a record moves to another node, the journal
/// is down) is asked again for a while.
/// </summary>
public sealed class ActorOperations(Func<Task<ClusterActors>> actors, TimeProvider time) : IClusterOperations
{
    private const int MaxIdLength = 100;

    private const int MaxByLength = 200;

    /// <summary>One question waits so long, ...</summary>
    private static readonly TimeSpan AskTimeout = TimeSpan.FromSeconds(5);

    /// <summary>... and they are repeated for so long.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    public async Task<MigrationDocument> SubmitMigrationAsync(MigrationSubmission submission, CancellationToken cancel = default)
    {
        MigrationManifest manifest = Parse(submission.Manifest);
        string id = submission.Id is { } given ? CheckedId(given, "migration", ".") : $"m-{Random()}";
        await TellMigrationAsync(new SubmitMigration(id, default, manifest.Name, submission.Manifest, By(submission.By)), cancel).ConfigureAwait(false);
        return await GetMigrationAsync(id, cancel).ConfigureAwait(false);
    }

    public async Task<MigrationList> ListMigrationsAsync(ListQuery query, CancellationToken cancel = default)
    {
        var page = await AskAsync<MigrationPage>(to => to.Directory, new ListMigrations(Part(query)), cancel).ConfigureAwait(false);
        return new MigrationList([.. page.Migrations.Select(migration => Documents.Of(migration, []))], page.Total);
    }

    public async Task<MigrationDocument> GetMigrationAsync(string id, CancellationToken cancel = default)
    {
        var description = await AskMigrationAsync<MigrationDescription>(new DescribeMigration(KnownId(id, "migration")), cancel).ConfigureAwait(false);
        return Documents.Of(description.Overview, description.Running);
    }

    public async Task<MigrationImageList> ListMigrationImagesAsync(string id, ListQuery query, CancellationToken cancel = default)
    {
        query.Checked();
        ImageProgress? progress = query.State switch
        {
            null => null,
            ListQuery.Active => ImageProgress.Running,
            string state when Enum.TryParse(state, ignoreCase: true, out ImageProgress known) && !char.IsDigit(state[0]) => known,
            string other => throw Invalid($"no image of a migration is '{other}'"),
        };
        var message = new ListMigrationImages(KnownId(id, "migration"), progress, query.Offset, query.Limit);
        var images = await AskMigrationAsync<MigrationImages>(message, cancel).ConfigureAwait(false);
        return new MigrationImageList([.. images.Images.Select(Documents.Of)], images.Total);
    }

    public async Task<MigrationDocument> ActOnMigrationAsync(string id, ActionKind action, ActionRequest request, CancellationToken cancel = default)
    {
        KnownId(id, "migration");
        string by = By(request.By);
        await TellMigrationAsync(
            action switch
            {
                ActionKind.Pause => new PauseMigration(id, default, by),
                ActionKind.Resume => new ResumeMigration(id, default, by),
                ActionKind.Cancel => new CancelMigration(id, default, by),
                _ => new RetryImages(id, default, by),
            },
            cancel).ConfigureAwait(false);
        return await GetMigrationAsync(id, cancel).ConfigureAwait(false);
    }

    public async Task<JobDocument> SubmitJobAsync(JobSubmission submission, CancellationToken cancel = default)
    {
        // Jobs of migrations have dots in their ids, which nobody may take in advance.
        string id = submission.Id is { } given ? CheckedId(given, "job", "") : $"j-{Random()}";
        var settings = new JobSettings { Priority = submission.Priority, MaxShards = submission.MaxShards };
        if (settings.Problem is { } problem)
        {
            throw Invalid(problem);
        }

        await TellJobAsync(new SubmitJob(id, default, Specs.ToDomain(submission.Spec), settings), cancel).ConfigureAwait(false);
        return await GetJobAsync(id, cancel).ConfigureAwait(false);
    }

    public async Task<JobList> ListJobsAsync(ListQuery query, CancellationToken cancel = default)
    {
        var page = await AskAsync<JobPage>(to => to.Directory, new ListJobs(Part(query), query.Migration ?? ""), cancel).ConfigureAwait(false);
        return new JobList([.. page.Jobs.Select(Documents.Of)], page.Total);
    }

    public async Task<JobDocument> GetJobAsync(string id, CancellationToken cancel = default) => Documents.Of(await DescribeJobAsync(id, cancel).ConfigureAwait(false));

    public async Task<JobDocument> ActOnJobAsync(string id, ActionKind action, ActionRequest request, CancellationToken cancel = default)
    {
        KnownId(id, "job");
        string by = By(request.By);
        switch (action)
        {
            case ActionKind.Pause:
                await TellJobAsync(new PauseJob(id, default, by), cancel).ConfigureAwait(false);
                break;
            case ActionKind.Resume:
                await TellJobAsync(new ResumeJob(id, default, by), cancel).ConfigureAwait(false);
                break;
            case ActionKind.Cancel:
                await TellJobAsync(new CancelJob(id, default, by), cancel).ConfigureAwait(false);
                break;
            default:
                return await RetryJobAsync(id, cancel).ConfigureAwait(false);
        }

        return await GetJobAsync(id, cancel).ConfigureAwait(false);
    }

    public async Task<ImageList> ListImagesAsync(ListQuery query, CancellationToken cancel = default)
    {
        var page = await AskAsync<ImagePage>(to => to.Directory, new ListImages(Part(query), query.Migration ?? ""), cancel).ConfigureAwait(false);
        return new ImageList([.. page.Images.Select(Documents.Of)], page.Total);
    }

    public async Task<ImageDocument> GetImageAsync(string name, CancellationToken cancel = default) =>
        Documents.Of(await AskImageAsync<ImageDescription>(new DescribeImage(Specs.Name(name)), cancel).ConfigureAwait(false));

    public async Task<ImageDocument> ReleaseImageAsync(string name, ReleaseRequest request, CancellationToken cancel = default)
    {
        await AskImageAsync<ImageDone>(
            new RevokeUse(Specs.Name(name), default, request.Token, By(request.By), Reason(request.Reason)), cancel).ConfigureAwait(false);
        return await GetImageAsync(name, cancel).ConfigureAwait(false);
    }

    public async Task<ImageDocument> ForgetDependentAsync(string name, ForgetDependentRequest request, CancellationToken cancel = default)
    {
        (ImageName image, ImageName dependent, string reason) = (Specs.Name(name), Specs.Name(request.Dependent), Reason(request.Reason));
        ImageDescription known = await AskImageAsync<ImageDescription>(new DescribeImage(image), cancel).ConfigureAwait(false);
        if (!known.Dependents.Contains(dependent))
        {
            throw new OperationRefusedException(RefusalReason.NotFound, $"nothing is known of {dependent} standing on {image}");
        }

        string by = By(request.By) is { Length: > 0 } who ? $"by {who}: " : "";
        await AskImageAsync<ImageDone>(new RemoveDependent(image, default, dependent) { Reason = by + reason }, cancel).ConfigureAwait(false);
        return await GetImageAsync(name, cancel).ConfigureAwait(false);
    }

    private static string Reason(string reason) => reason.Trim().Length is 0 or > 1000 || reason.Any(char.IsControl)
        ? throw Invalid("a reason is one line of 1 to 1,000 characters")
        : reason.Trim();

    public async Task<WorkerList> ListWorkersAsync(CancellationToken cancel = default)
    {
        QueueDescription queue = await DescribeQueueAsync(cancel).ConfigureAwait(false);
        return new WorkerList([.. queue.Workers.Select(Documents.Of)]);
    }

    public async Task<QueueDocument> GetQueueAsync(CancellationToken cancel = default)
    {
        QueueDescription queue = await DescribeQueueAsync(cancel).ConfigureAwait(false);
        return new QueueDocument(queue.Jobs, queue.Waiting, queue.InWork, queue.Workers.Count, queue.Workers.Sum(worker => worker.FreeSlots));
    }

    // The same retry again finds the job that the first one made.
    private async Task<JobDocument> RetryJobAsync(string id, CancellationToken cancel)
    {
        JobDescription job = await DescribeJobAsync(id, cancel).ConfigureAwait(false);
        if (job.Settings.Migration.Length > 0)
        {
            throw new OperationRefusedException(RefusalReason.Conflict, $"job {id} belongs to migration {job.Settings.Migration}; retry that");
        }

        if (job.Summary.Outcome is null or JobOutcome.Succeeded)
        {
            throw new OperationRefusedException(RefusalReason.Conflict, $"job {id} has {(job.Summary.HasEnded ? "succeeded" : "not ended")}; there is nothing to retry");
        }

        string next = NextId(id);
        await TellJobAsync(new SubmitJob(next, default, job.Spec, job.Settings), cancel).ConfigureAwait(false);
        return await GetJobAsync(next, cancel).ConfigureAwait(false);
    }

    // copy, copy-retry2, copy-retry3 ...
    internal static string NextId(string id)
    {
        const string Mark = "-retry";
        int at = id.LastIndexOf(Mark, StringComparison.Ordinal);
        return at > 0 && int.TryParse(id.AsSpan(at + Mark.Length), out int number) && number is > 1 and < 1_000_000
            ? $"{id[..at]}{Mark}{number + 1}"
            : $"{id}{Mark}2";
    }

    private Task<JobDescription> DescribeJobAsync(string id, CancellationToken cancel) => AskJobAsync<JobDescription>(new DescribeJob(KnownId(id, "job")), cancel);

    private Task<QueueDescription> DescribeQueueAsync(CancellationToken cancel) => AskAsync<QueueDescription>(to => to.Scheduler, new DescribeQueue(), cancel);

    private Task<MigrationDone> TellMigrationAsync(MigrationCommand command, CancellationToken cancel) => AskMigrationAsync<MigrationDone>(command, cancel);

    private Task<JobDone> TellJobAsync(JobCommand command, CancellationToken cancel) => AskJobAsync<JobDone>(command, cancel);

    private async Task<T> AskMigrationAsync<T>(object message, CancellationToken cancel)
        where T : MigrationReply
    {
        MigrationReply reply = await AskAsync<MigrationReply>(to => to.Migrations, message, cancel).ConfigureAwait(false);
        return reply is MigrationRefused refused ? throw Refused(refused.Refusal) : (T)reply;
    }

    private async Task<T> AskJobAsync<T>(object message, CancellationToken cancel)
        where T : JobReply
    {
        JobReply reply = await AskAsync<JobReply>(to => to.Jobs, message, cancel).ConfigureAwait(false);
        return reply is JobRefused refused ? throw Refused(refused.Refusal) : (T)reply;
    }

    private async Task<T> AskImageAsync<T>(object message, CancellationToken cancel)
        where T : ImageReply
    {
        ImageReply reply = await AskAsync<ImageReply>(to => to.Images, message, cancel).ConfigureAwait(false);
        return reply is ImageRefused refused ? throw Refused(refused.Refusal) : (T)reply;
    }

    private async Task<T> AskAsync<T>(Func<ClusterActors, ICanTell> whom, object message, CancellationToken cancel)
    {
        long since = time.GetTimestamp();
        ICanTell actor = whom(await actors().WaitAsync(cancel).ConfigureAwait(false));
        while (true)
        {
            try
            {
                return await actor.Ask<T>(message, AskTimeout, cancel).ConfigureAwait(false);
            }
            catch (AskTimeoutException e) when (time.GetElapsedTime(since) >= Patience - AskTimeout)
            {
                throw new OperationRefusedException(RefusalReason.Unavailable, "the cluster does not answer: no coordinator, or its journal is down; try again", inner: e);
            }
            catch (AskTimeoutException)
            {
                cancel.ThrowIfCancellationRequested();
            }
        }
    }

    private static OperationRefusedException Refused(Refusal refusal) => new(
        refusal.Kind switch
        {
            RefusalKind.Invalid => RefusalReason.Invalid,
            RefusalKind.Unknown => RefusalReason.NotFound,
            RefusalKind.InUse or RefusalKind.NotQuiet or RefusalKind.Paused or RefusalKind.NothingToDo => RefusalReason.Busy,
            _ => RefusalReason.Conflict,
        },
        refusal.Message);

    private static MigrationManifest Parse(string text)
    {
        MigrationManifest manifest;
        try
        {
            manifest = ManifestParser.Parse(text);
        }
        catch (ManifestException e)
        {
            throw new OperationRefusedException(RefusalReason.Invalid, e.Message, [.. e.Lines], e);
        }

        return manifest.UsedRoots.FirstOrDefault(root => !root.IsName) is { Text: not null } root
            ? throw Invalid($"root '{root}' is {root.Kind}, which only one machine can use; a cluster's nodes know roots by names")
            : manifest;
    }

    private static ListPart Part(ListQuery query) => new(query.Checked().State ?? "", query.Offset, query.Limit);

    // What was never accepted cannot be there either; and nothing else reaches a record's key.
    private static string KnownId(string id, string what) =>
        IsId(id, ".") ? id : throw new OperationRefusedException(RefusalReason.NotFound, $"there is no {what} '{id}'");

    // Whom people read of; stored with what was asked for.
    private static string By(string? by) => by is null ? ""
        : by.Length <= MaxByLength && !by.Any(char.IsControl) ? by
        : throw Invalid($"'by' is a name of at most {MaxByLength} characters");

    private static string CheckedId(string id, string what, string marks) => id.Length <= MaxIdLength && IsId(id, marks)
        ? id
        : throw Invalid($"'{id}' is no id for a {what}: 1 to {MaxIdLength} letters, digits, '_', '-'{(marks.Length > 0 ? " and '.'" : "")}, a letter or digit first");

    private static bool IsId(string id, string marks) =>
        id.Length is > 0 and <= MaxIdLength + 30 && char.IsAsciiLetterOrDigit(id[0]) &&
        id.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-' || marks.Contains(c, StringComparison.Ordinal));

    private static OperationRefusedException Invalid(string message) => new(RefusalReason.Invalid, message);

    private static string Random() => Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(5));
}
