using System.Text.Json;
using ImageCluster.Api.Documents;
using ImageCluster.Cluster.Messages;
using ImageCluster.Jobs;
using ImageCluster.Jobs.Images;

namespace ImageCluster.Cluster.Operating;

/// <summary>What actors answer, as documents of the API.</summary>
internal static class Documents
{
    public static MigrationDocument Of(MigrationOverview migration, IEnumerable<MigrationImage> running) => new()
    {
        Id = migration.MigrationId,
        Name = migration.Name,
        State = migration.State,
        SubmittedBy = Text(migration.SubmittedBy),
        SubmittedAt = migration.SubmittedAt.ToDateTimeOffset(),
        EndedAt = migration.EndedAt?.ToDateTimeOffset(),
        Images = new ImageCounts
        {
            Total = migration.Numbers.Images,
            Waiting = migration.Numbers.Waiting,
            Running = migration.Numbers.Running,
            Succeeded = migration.Numbers.Succeeded,
            Failed = migration.Numbers.Failed,
            Cancelled = migration.Numbers.Cancelled,
            Skipped = migration.Numbers.Skipped,
            Refused = migration.Numbers.Refused,
        },
        PlannedBytes = migration.Numbers.PlannedBytes,
        DoneBytes = migration.Numbers.DoneBytes,
        BytesRead = migration.Numbers.BytesRead,
        BytesWritten = migration.Numbers.BytesWritten,
        Reasons = [.. migration.Reasons],
        Running = [.. running.Select(Of)],
    };

    public static MigrationImageDocument Of(MigrationImage image) => new()
    {
        Index = image.Image.Index,
        Source = image.Image.Source.ToString(),
        SourceFormat = Text(image.Image.SourceFormat),
        Target = image.Image.Target?.ToString(),
        State = Word(image.Image.Progress),
        Job = Text(image.JobId),
        Attempt = image.Image.Attempt,
        VirtualSize = image.Image.VirtualSize,
        DataBytes = image.Image.AllocatedBytes,
        Reason = Text(image.Image.Reason) ?? Text(image.Job?.Reason),
        Digest = Text(image.Image.Digest),
        BytesRead = image.Job?.BytesRead ?? image.Image.BytesRead,
        BytesWritten = image.Job?.BytesWritten ?? image.Image.BytesWritten,
        StartedAt = Time(image.Image.StartedAt),
        EndedAt = Time(image.Image.EndedAt),
        Stage = image.Job is { } job ? StageOf(job) : null,
        Shards = image.Job?.Shards ?? 0,
        ShardsDone = image.Job?.ShardsDone ?? 0,
    };

    public static JobDocument Of(JobSummary job) => new()
    {
        Id = job.JobId,
        Operation = job.Operation,
        State = job.State,
        Migration = Text(job.Migration),
        Priority = job.Priority,
        SubmittedAt = job.SubmittedAt.ToDateTimeOffset(),
        EndedAt = job.EndedAt?.ToDateTimeOffset(),
        Stage = StageOf(job),
        Shards = job.HasEnded ? 0 : job.Shards,
        ShardsDone = job.HasEnded ? 0 : job.ShardsDone,
        ShardsInWork = job.ShardsInWork,
        BytesRead = job.BytesRead,
        BytesWritten = job.BytesWritten,
        Reason = Text(job.Reason),
        Digest = Text(job.Digest),
        FirstDifference = job.FirstDifference,
    };

    public static JobDocument Of(JobDescription job) => Of(job.Summary) with
    {
        Spec = Specs.ToDocument(job.Spec),
        Assignments = [.. job.Assignments.Select(given => new AssignmentDocument(given.Token, given.Worker, given.Shards, given.StartedAt.ToDateTimeOffset()))],
        Troubles = [.. job.Troubles.Select(trouble =>
            new TroubleDocument(trouble.Shard, trouble.Trouble.Failures, trouble.Trouble.Losses, trouble.Trouble.Reason))],
    };

    public static ImageDocument Of(ImageInUse image) => new()
    {
        Name = image.Image.ToString(),
        Users = [.. image.Holders.Select(holder =>
            new ImageUseDocument(holder.Use.Token, holder.JobId, Word(holder.Use.Purpose), UseRule.IsExclusive(holder.Use.Purpose)))],
    };

    public static ImageDocument Of(ImageDescription image) => new()
    {
        Name = image.Image.ToString(),
        Users = [.. image.Users.Select(user => new ImageUseDocument(user.Token, user.Holder, Word(user.Purpose), UseRule.IsExclusive(user.Purpose),
            Math.Round(user.Remaining.TotalSeconds, 1), Text(user.Detail), Text(user.Revoked)))],
        Dependents = [.. image.Dependents.Select(overlay => overlay.ToString())],
        Shards = image.Shards,
        ShardsPublished = image.Published,
        FinishedBy = Text(image.FinishedBy),
        Digest = Text(image.Digest),
    };

    public static WorkerDocument Of(WorkerDescription worker) => new()
    {
        Id = worker.Worker,
        Address = Text(worker.Address),
        Roots = [.. worker.Roots],
        Slots = worker.Slots,
        FreeSlots = worker.FreeSlots,
    };

    private static string? StageOf(JobSummary job) => job.HasEnded || job.Stage == 0 ? null : Word(job.Stage);

    private static string Word<T>(T value)
        where T : struct, Enum => JsonNamingPolicy.CamelCase.ConvertName(value.ToString());

    private static string? Text(string? text) => string.IsNullOrEmpty(text) ? null : text;

    private static DateTimeOffset? Time(Instant time) => time == default ? null : time.ToDateTimeOffset();
}
