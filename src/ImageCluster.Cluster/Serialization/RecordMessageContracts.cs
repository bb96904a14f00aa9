using ImageCluster.Cluster.Messages;
using ImageCluster.Jobs.Contracts;
using ImageCluster.Jobs.Execution;
using ImageCluster.Jobs.Migrations;
using static ImageCluster.Cluster.Serialization.SummaryMapping;
using static ImageCluster.Jobs.Contracts.ValueMapping;
using P = ImageCluster.Cluster.Messages.V1;

namespace ImageCluster.Cluster.Serialization;

/// <summary>What jobs, migrations and the directory are asked and answer, one contract each.</summary>
internal static class RecordMessageContracts
{
    public static IReadOnlyList<Contract> All { get; } =
    [
        Contract.Of<DescribeJob, P.DescribeJob>("job.describe.v1", c => new() { JobId = c.JobId }, m => new(m.JobId)),
        Contract.Of<JobDescription, P.JobDescription>("job.description.v1", Description, Description),
        Contract.Of<ReportJob, P.ReportJob>("migration.report-job.v1",
            c => new() { MigrationId = c.MigrationId, Job = ToMessage(c.Job) },
            m => new(m.MigrationId, ToDomain(m.Job))),
        Contract.Of<DescribeMigration, P.DescribeMigration>("migration.describe.v1", c => new() { MigrationId = c.MigrationId }, m => new(m.MigrationId)),
        Contract.Of<ListMigrationImages, P.ListMigrationImages>("migration.list-images.v1",
            c => new() { MigrationId = c.MigrationId, Progress = (int)(c.Progress ?? 0), Offset = c.Offset, Limit = c.Limit },
            m => new(m.MigrationId, m.Progress == 0 ? null : ToEnum<ImageProgress>(m.Progress), m.Offset, m.Limit)),
        Contract.Of<MigrationDone, P.MigrationDone>("migration.done.v1", r => new() { MigrationId = r.MigrationId }, m => new(m.MigrationId)),
        Contract.Of<MigrationRefused, P.MigrationRefused>("migration.refused.v1",
            r => new() { MigrationId = r.MigrationId, Refusal = ValueMapping.ToMessage(r.Refusal) },
            m => new(m.MigrationId, ValueMapping.ToDomain(m.Refusal ?? throw new ArgumentException("the refusal is missing")))),
        Contract.Of<MigrationDescription, P.MigrationDescription>("migration.description.v1",
            r => new() { Overview = ToMessage(r.Overview), Running = { r.Running.Select(ToMessage) } },
            m => new(ToDomain(m.Overview).MigrationId, ToDomain(m.Overview), [.. m.Running.Select(ToDomain)])),
        Contract.Of<MigrationImages, P.MigrationImages>("migration.images.v1",
            r => new() { MigrationId = r.MigrationId, Images = { r.Images.Select(ToMessage) }, Total = r.Total },
            m => new(m.MigrationId, [.. m.Images.Select(ToDomain)], m.Total)),
        Contract.Of<NoteJob, P.NoteJob>("directory.note-job.v1", c => new() { Job = ToMessage(c.Job) }, m => new(ToDomain(m.Job))),
        Contract.Of<NoteMigration, P.NoteMigration>("directory.note-migration.v1",
            c => new() { Migration = ToMessage(c.Migration) },
            m => new(ToDomain(m.Migration))),
        Contract.Of<EntryNoted, P.EntryNoted>("directory.noted.v1", r => new() { Id = r.Id, HasEnded = r.HasEnded }, m => new(m.Id, m.HasEnded)),
        Contract.Of<ForgetJob, P.ForgetJob>("job.forget.v1", c => new() { JobId = c.JobId, EndedBefore = c.EndedBefore.UnixMilliseconds }, m => new(m.JobId, ToInstant(m.EndedBefore))),
        Contract.Of<JobForgotten, P.JobForgotten>("job.forgotten.v1", r => new() { JobId = r.JobId }, m => new(m.JobId)),
        Contract.Of<ForgetMigration, P.ForgetMigration>("migration.forget.v1",
            c => new() { MigrationId = c.MigrationId, EndedBefore = c.EndedBefore.UnixMilliseconds },
            m => new(m.MigrationId, ToInstant(m.EndedBefore))),
        Contract.Of<MigrationForgotten, P.MigrationForgotten>("migration.forgotten.v1", r => new() { MigrationId = r.MigrationId }, m => new(m.MigrationId)),
        Contract.Of<ListJobs, P.ListPart>("directory.list-jobs.v1", c => Part(c.Part, c.Migration), m => new(Part(m), m.Migration)),
        Contract.Of<ListMigrations, P.ListPart>("directory.list-migrations.v1", c => Part(c.Part, ""), m => new(Part(m))),
        Contract.Of<ListImages, P.ListPart>("directory.list-images.v1", c => Part(c.Part, c.Migration), m => new(Part(m), m.Migration)),
        Contract.Of<JobPage, P.JobPage>("directory.jobs.v1",
            r => new() { Jobs = { r.Jobs.Select(ToMessage) }, Total = r.Total },
            m => new([.. m.Jobs.Select(ToDomain)], m.Total)),
        Contract.Of<MigrationPage, P.MigrationPage>("directory.migrations.v1",
            r => new() { Migrations = { r.Migrations.Select(ToMessage) }, Total = r.Total },
            m => new([.. m.Migrations.Select(ToDomain)], m.Total)),
        Contract.Of<ImagePage, P.ImagePage>("directory.images.v1",
            r => new() { Images = { r.Images.Select(InUse) }, Total = r.Total },
            m => new([.. m.Images.Select(InUse)], m.Total)),
        Contract.Of<GatheredImages, P.GatheredImages>("migration.gathered.v1",
            c => new()
            {
                JobId = c.JobId,
                MigrationId = c.MigrationId,
                Assignment = c.Assignment,
                From = c.From,
                Images = { c.Images.Select(JobValueMapping.ToMessage) },
                Last = c.IsLast,
                Refusals = { c.Refusals },
            },
            m => new(m.JobId, m.MigrationId, m.Assignment, m.From, JobValueMapping.ToDomain(m.Images), m.Last, [.. m.Refusals])),
    ];

    private static P.JobDescription Description(JobDescription r) => new()
    {
        Summary = ToMessage(r.Summary),
        Spec = JobValueMapping.ToMessage(r.Spec),
        Settings = JobValueMapping.ToMessage(r.Settings),
        Assignments =
        {
            r.Assignments.Select(a => new P.JobAssignment { Token = a.Token, Worker = a.Worker, Shards = (ulong)a.Shards, StartedAt = a.StartedAt.UnixMilliseconds }),
        },
        Troubles =
        {
            r.Troubles.Select(t => new P.JobTrouble { Shard = (ulong)t.Shard, Failures = t.Trouble.Failures, Losses = t.Trouble.Losses, Reason = t.Trouble.Reason }),
        },
        Finding = r.Finding,
    };

    private static JobDescription Description(P.JobDescription m)
    {
        JobSummary summary = ToDomain(m.Summary);
        return new JobDescription(summary.JobId, summary, JobValueMapping.ToDomain(m.Spec), JobValueMapping.ToDomain(m.Settings),
            [.. m.Assignments.Select(a => new JobAssignment(a.Token, a.Worker, ToLong(a.Shards), ToInstant(a.StartedAt)))],
            [.. m.Troubles.Select(t => new JobTrouble(ToLong(t.Shard), new ShardTrouble(t.Failures, t.Losses, t.Reason)))],
            m.Finding);
    }

    private static P.ListPart Part(ListPart part, string migration) =>
        new() { State = part.State, Offset = part.Offset, Limit = part.Limit, Migration = migration };

    private static ListPart Part(P.ListPart part) => new(part.State, part.Offset, part.Limit);

    private static P.ImageInUse InUse(ImageInUse image) => new()
    {
        Image = ValueMapping.ToMessage(image.Image),
        Holders = { image.Holders.Select(holder => new P.ImageHolder { JobId = holder.JobId, Use = JobValueMapping.ToMessage(holder.Use) }) },
    };

    private static ImageInUse InUse(P.ImageInUse image) => new(
        ValueMapping.ToDomain(image.Image),
        [.. image.Holders.Select(holder => new ImageHolder(holder.JobId, JobValueMapping.ToDomain([holder.Use])[0]))]);
}
