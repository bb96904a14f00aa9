using ImageCluster.Jobs.Migrations;
using static ImageCluster.Jobs.Contracts.ValueMapping;
using P = ImageCluster.Jobs.Contracts.V1;

namespace ImageCluster.Jobs.Contracts;

/// <summary>The commands to a migration's record, one contract each.</summary>
internal static class MigrationCommandContracts
{
    public static IReadOnlyList<Contract> All { get; } =
    [
        Contract.Of<SubmitMigration, P.SubmitMigration>("migration.submit.v1",
            c => new() { MigrationId = c.MigrationId, At = c.At.UnixMilliseconds, Name = c.Name, Manifest = c.Manifest, By = c.By },
            m => new(m.MigrationId, ToInstant(m.At), m.Name, m.Manifest, m.By)),
        Contract.Of<PlanImages, P.PlanImages>("migration.plan-images.v1",
            c => new() { MigrationId = c.MigrationId, At = c.At.UnixMilliseconds, Images = { c.Images.Select(JobValueMapping.ToMessage) } },
            m => new(m.MigrationId, ToInstant(m.At), JobValueMapping.ToDomain(m.Images))),
        Contract.Of<CompletePlan, P.CompletePlan>("migration.complete-plan.v1",
            c => new() { MigrationId = c.MigrationId, At = c.At.UnixMilliseconds },
            m => new(m.MigrationId, ToInstant(m.At))),
        Contract.Of<RefusePlan, P.RefusePlan>("migration.refuse-plan.v1",
            c => new() { MigrationId = c.MigrationId, At = c.At.UnixMilliseconds, Reasons = { c.Reasons } },
            m => new(m.MigrationId, ToInstant(m.At), [.. m.Reasons])),
        Contract.Of<StartImages, P.StartImages>("migration.start-images.v1",
            c => new() { MigrationId = c.MigrationId, At = c.At.UnixMilliseconds, MaxRunning = c.MaxRunning },
            m => new(m.MigrationId, ToInstant(m.At), m.MaxRunning)),
        Contract.Of<EndImage, P.EndImage>("migration.end-image.v1",
            c => new()
            {
                MigrationId = c.MigrationId,
                At = c.At.UnixMilliseconds,
                Index = c.Index,
                Attempt = c.Attempt,
                Result = JobValueMapping.ToMessage(c.Result),
            },
            m => new(m.MigrationId, ToInstant(m.At), m.Index, m.Attempt, JobValueMapping.ToDomain(m.Result))),
        Contract.Of<PauseMigration, P.PauseMigration>("migration.pause.v1",
            c => new() { MigrationId = c.MigrationId, At = c.At.UnixMilliseconds, By = c.By },
            m => new(m.MigrationId, ToInstant(m.At), m.By)),
        Contract.Of<ResumeMigration, P.ResumeMigration>("migration.resume.v1",
            c => new() { MigrationId = c.MigrationId, At = c.At.UnixMilliseconds, By = c.By },
            m => new(m.MigrationId, ToInstant(m.At), m.By)),
        Contract.Of<CancelMigration, P.CancelMigration>("migration.cancel.v1",
            c => new() { MigrationId = c.MigrationId, At = c.At.UnixMilliseconds, By = c.By },
            m => new(m.MigrationId, ToInstant(m.At), m.By)),
        Contract.Of<RetryImages, P.RetryImages>("migration.retry-images.v1",
            c => new() { MigrationId = c.MigrationId, At = c.At.UnixMilliseconds, By = c.By },
            m => new(m.MigrationId, ToInstant(m.At), m.By)),
    ];
}
