using ImageCluster.Jobs.Migrations;
using static ImageCluster.Jobs.Contracts.ValueMapping;
using P = ImageCluster.Jobs.Contracts.V1;

namespace ImageCluster.Jobs.Contracts;

/// <summary>The events of a migration's record, one contract each.</summary>
internal static class MigrationEventContracts
{
    public static IReadOnlyList<Contract> All { get; } =
    [
        Contract.Of<MigrationSubmitted, P.MigrationSubmitted>("migration.submitted.v1",
            e => new() { MigrationId = e.MigrationId, Name = e.Name, Manifest = e.Manifest, By = e.By, At = e.At.UnixMilliseconds },
            m => new(m.MigrationId, m.Name, m.Manifest, m.By, ToInstant(m.At))),
        Contract.Of<ImagesPlanned, P.ImagesPlanned>("migration.images-planned.v1",
            e => new() { Images = { e.Images.Select(JobValueMapping.ToMessage) } },
            m => new(JobValueMapping.ToDomain(m.Images))),
        Contract.Of<PlanCompleted, P.PlanCompleted>("migration.plan-completed.v1",
            e => new() { At = e.At.UnixMilliseconds },
            m => new(ToInstant(m.At))),
        Contract.Of<PlanRefused, P.PlanRefused>("migration.plan-refused.v1",
            e => new() { Reasons = { e.Reasons }, At = e.At.UnixMilliseconds },
            m => new([.. m.Reasons], ToInstant(m.At))),
        Contract.Of<ImagesStarted, P.ImagesStarted>("migration.images-started.v1",
            e => new() { Images = ToMessage(e.Images), At = e.At.UnixMilliseconds },
            m => new(ToDomain(m.Images), ToInstant(m.At))),
        Contract.Of<ImageEnded, P.ImageEnded>("migration.image-ended.v1",
            e => new() { Index = e.Index, Result = JobValueMapping.ToMessage(e.Result), At = e.At.UnixMilliseconds },
            m => new(m.Index, JobValueMapping.ToDomain(m.Result), ToInstant(m.At))),
        Contract.Of<MigrationPaused, P.MigrationPaused>("migration.paused.v1",
            e => new() { By = e.By, At = e.At.UnixMilliseconds },
            m => new(m.By, ToInstant(m.At))),
        Contract.Of<MigrationResumed, P.MigrationResumed>("migration.resumed.v1",
            e => new() { By = e.By, At = e.At.UnixMilliseconds },
            m => new(m.By, ToInstant(m.At))),
        Contract.Of<MigrationCancelled, P.MigrationCancelled>("migration.cancelled.v1",
            e => new() { By = e.By, At = e.At.UnixMilliseconds },
            m => new(m.By, ToInstant(m.At))),
        Contract.Of<ImagesRetried, P.ImagesRetried>("migration.images-retried.v1",
            e => new() { Images = ToMessage(e.Images), By = e.By, At = e.At.UnixMilliseconds },
            m => new(ToDomain(m.Images), m.By, ToInstant(m.At))),
        Contract.Of<MigrationEnded, P.MigrationEnded>("migration.ended.v1",
            e => new() { At = e.At.UnixMilliseconds },
            m => new(ToInstant(m.At))),
    ];
}
