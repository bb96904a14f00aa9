using System.Collections.Concurrent;
using ImageCluster.Api.Documents;

namespace ImageCluster.Api.Tests.Support;

/// <summary>
/// A cluster in memory that does no work: what is submitted is there, and actions change its state. A manifest that says <c>bad</c> is
/// refused. Linked into other test projects.
/// </summary>
internal sealed class FakeCluster : IClusterOperations
{
    public static readonly DateTimeOffset Then = new(2026, 3, 4, 5, 6, 7, TimeSpan.Zero);

    private readonly ConcurrentDictionary<string, string> _manifests = [];
    private int _looks;

    public ConcurrentDictionary<string, MigrationDocument> Migrations { get; } = [];

    public ConcurrentDictionary<string, List<MigrationImageDocument>> MigrationImages { get; } = [];

    public ConcurrentDictionary<string, JobDocument> Jobs { get; } = [];

    public ConcurrentDictionary<string, ImageDocument> Images { get; } = [];

    public List<WorkerDocument> Workers { get; } = [];

    public QueueDocument Queue { get; set; } = new(0, 0, 0, 0, 0);

    /// <summary>Thrown by every operation while it is set.</summary>
    public Exception? Trouble { get; set; }

    /// <summary>What was asked for, by whom.</summary>
    public ConcurrentQueue<string> Calls { get; } = [];

    public Task<MigrationDocument> SubmitMigrationAsync(MigrationSubmission submission, CancellationToken cancel = default) => Do(() =>
    {
        string id = submission.Id ?? "chosen";
        Calls.Enqueue($"submit {id} by {submission.By}");
        if (submission.Manifest.Contains("bad", StringComparison.Ordinal))
        {
            throw new OperationRefusedException(RefusalReason.Invalid, "manifest:1:1: bad (and 1 more)", ["manifest:1:1: bad", "manifest:2:1: worse"]);
        }

        if (_manifests.GetOrAdd(id, submission.Manifest) != submission.Manifest)
        {
            throw new OperationRefusedException(RefusalReason.Conflict, $"migration {id} was submitted before with another manifest; choose another id");
        }

        return Migrations.GetOrAdd(id, _ => new MigrationDocument
        {
            Id = id,
            Name = "lab",
            State = "planning",
            SubmittedAt = Then,
            SubmittedBy = submission.By,
        });
    });

    public Task<MigrationList> ListMigrationsAsync(ListQuery query, CancellationToken cancel = default) => Do(() =>
    {
        query.Checked();
        MigrationDocument[] all = [.. Migrations.Values.OrderBy(migration => migration.Id, StringComparer.Ordinal)
            .Where(migration => Fits(query, migration.State, migration.IsOver))];
        return new MigrationList([.. all.Skip(query.Offset).Take(query.Limit)], all.Length);
    });

    /// <summary>How often somebody looked at a migration.</summary>
    public int Looks => Volatile.Read(ref _looks);

    public Task<MigrationDocument> GetMigrationAsync(string id, CancellationToken cancel = default)
    {
        Interlocked.Increment(ref _looks);
        return Do(() => Found(Migrations, id, "migration"));
    }

    public Task<MigrationImageList> ListMigrationImagesAsync(string id, ListQuery query, CancellationToken cancel = default) => Do(() =>
    {
        MigrationImageDocument[] all = [.. (MigrationImages.GetValueOrDefault(id) ?? (Migrations.ContainsKey(id) ? [] : Found(MigrationImages, id, "migration"))).Where(image => Fits(query, image.State, image.EndedAt is not null))];
        return new MigrationImageList([.. all.Skip(query.Offset).Take(query.Limit)], all.Length);
    });

    public Task<MigrationDocument> ActOnMigrationAsync(string id, ActionKind action, ActionRequest request, CancellationToken cancel = default) => Do(() =>
    {
        Calls.Enqueue($"{action} migration {id} by {request.By}");
        MigrationDocument migration = Found(Migrations, id, "migration");
        if (migration.IsOver && action != ActionKind.Retry)
        {
            throw new OperationRefusedException(RefusalReason.Conflict, $"migration {id} is over");
        }

        return Migrations[id] = migration with { State = StateAfter(action) };
    });

    public Task<JobDocument> SubmitJobAsync(JobSubmission submission, CancellationToken cancel = default) => Do(() =>
    {
        string id = submission.Id ?? "chosen";
        Calls.Enqueue($"submit job {id} by {submission.By}");
        return Jobs.GetOrAdd(id, _ => new JobDocument
        {
            Id = id,
            Operation = submission.Spec.GetType().Name.Replace("SpecDocument", "", StringComparison.Ordinal).ToLowerInvariant(),
            State = "planning",
            Spec = submission.Spec,
            Priority = submission.Priority,
            SubmittedAt = Then,
        });
    });

    public Task<JobList> ListJobsAsync(ListQuery query, CancellationToken cancel = default) => Do(() =>
    {
        JobDocument[] all = [.. Jobs.Values.OrderBy(job => job.Id, StringComparer.Ordinal)
            .Where(job => Fits(query, job.State, job.IsOver) && (query.Migration is null || query.Migration == job.Migration))];
        return new JobList([.. all.Skip(query.Offset).Take(query.Limit)], all.Length);
    });

    public Task<JobDocument> GetJobAsync(string id, CancellationToken cancel = default) => Do(() => Found(Jobs, id, "job"));

    public Task<JobDocument> ActOnJobAsync(string id, ActionKind action, ActionRequest request, CancellationToken cancel = default) => Do(() =>
    {
        Calls.Enqueue($"{action} job {id} by {request.By}");
        return Jobs[id] = Found(Jobs, id, "job") with { State = StateAfter(action) };
    });

    public Task<ImageList> ListImagesAsync(ListQuery query, CancellationToken cancel = default) => Do(() =>
    {
        ImageDocument[] all = [.. Images.Values.OrderBy(image => image.Name, StringComparer.Ordinal)];
        return new ImageList([.. all.Skip(query.Offset).Take(query.Limit)], all.Length);
    });

    public Task<ImageDocument> GetImageAsync(string name, CancellationToken cancel = default) => Do(() => Found(Images, name, "image"));

    public Task<ImageDocument> ReleaseImageAsync(string name, ReleaseRequest request, CancellationToken cancel = default) => Do(() =>
    {
        Calls.Enqueue($"release {name} {request.Token} by {request.By}: {request.Reason}");
        ImageDocument image = Found(Images, name, "image");
        if (image.Users.All(use => use.Token != request.Token))
        {
            throw new OperationRefusedException(RefusalReason.NotFound, $"{name} has no lease {request.Token}");
        }

        return Images[name] = image with { Users = [.. image.Users.Select(use => use.Token == request.Token ? use with { Released = request.Reason } : use)] };
    });

    public Task<ImageDocument> ForgetDependentAsync(string name, ForgetDependentRequest request, CancellationToken cancel = default) => Do(() =>
    {
        Calls.Enqueue($"forget {request.Dependent} on {name} by {request.By}: {request.Reason}");
        ImageDocument image = Found(Images, name, "image");
        return Images[name] = image with { Dependents = [.. image.Dependents.Where(dependent => dependent != request.Dependent)] };
    });

    public Task<WorkerList> ListWorkersAsync(CancellationToken cancel = default) => Do(() => new WorkerList([.. Workers]));

    public Task<QueueDocument> GetQueueAsync(CancellationToken cancel = default) => Do(() => Queue);

    private Task<T> Do<T>(Func<T> action)
    {
        try
        {
            return Trouble is null ? Task.FromResult(action()) : Task.FromException<T>(Trouble);
        }
        catch (OperationRefusedException e)
        {
            return Task.FromException<T>(e);
        }
    }

    private static T Found<T>(ConcurrentDictionary<string, T> all, string id, string what) =>
        all.TryGetValue(id, out T? found) ? found : throw new OperationRefusedException(RefusalReason.NotFound, $"there is no {what} {id}");

    private static bool Fits(ListQuery query, string state, bool isOver) => query.State switch
    {
        null => true,
        ListQuery.Active => !isOver,
        string wanted => wanted == state,
    };

    private static string StateAfter(ActionKind action) => action switch
    {
        ActionKind.Pause => "paused",
        ActionKind.Cancel => "cancelled",
        _ => "running",
    };
}
