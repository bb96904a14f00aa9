using System.Collections.Immutable;
using ImageCluster.Jobs.Execution;
using ImageCluster.Jobs.Images;
using ImageCluster.Jobs.Manifests;
using ImageCluster.Jobs.Migrations;
using static ImageCluster.Jobs.Contracts.ValueMapping;
using P = ImageCluster.Jobs.Contracts.V1;

namespace ImageCluster.Jobs.Contracts;

/// <summary>Values of jobs and migrations to messages and back.</summary>
internal static class JobValueMapping
{
    public static P.JobSpec ToMessage(JobSpec spec)
    {
        P.JobSpec message = OperationOf(spec);
        message.Secrets.AddRange(spec.Secrets.Select(secret => new P.ImageSecret { Image = ValueMapping.ToMessage(secret.Key), Name = secret.Value }));
        return message;
    }

    public static JobSpec ToDomain(P.JobSpec? spec) => spec is { Secrets.Count: > 0 }
        ? OperationOf(spec) with { Secrets = spec.Secrets.ToImmutableSortedDictionary(secret => ValueMapping.ToDomain(secret.Image), secret => secret.Name) }
        : OperationOf(spec);

    private static P.JobSpec OperationOf(JobSpec spec) => spec switch
    {
        ConvertSpec convert => new P.JobSpec { Convert = ToMessage(convert) },
        CompareSpec compare => new P.JobSpec
        {
            Compare = new P.CompareSpec
            {
                First = ValueMapping.ToMessage(compare.First),
                FirstFormat = compare.FirstFormat,
                Second = ValueMapping.ToMessage(compare.Second),
                SecondFormat = compare.SecondFormat,
                Strict = compare.Strict,
            },
        },
        CommitSpec commit => new P.JobSpec
        {
            Commit = new P.CommitSpec
            {
                Top = ValueMapping.ToMessage(commit.Top),
                TopFormat = commit.TopFormat,
                Base = ToOptional(commit.Base),
                KeepTop = commit.KeepTop,
            },
        },
        RebaseSpec rebase => new P.JobSpec
        {
            Rebase = new P.RebaseSpec
            {
                Image = ValueMapping.ToMessage(rebase.Image),
                Format = rebase.Format,
                Backing = ToOptional(rebase.Backing),
                BackingFormat = rebase.BackingFormat,
                Unsafe = rebase.Unsafe,
            },
        },
        ChangeSpec change => new P.JobSpec { Change = ToMessage(change) },
        GatherSpec gather => new P.JobSpec
        {
            Gather = new P.GatherSpec { Migration = gather.Migration, Manifest = gather.Manifest, Roots = { gather.UsedRoots } },
        },
        _ => throw new ArgumentOutOfRangeException(nameof(spec), spec.GetType().Name, "Not a job that has a contract."),
    };

    private static JobSpec OperationOf(P.JobSpec? spec) => spec?.SpecCase switch
    {
        P.JobSpec.SpecOneofCase.Convert => ToDomain(spec.Convert),
        P.JobSpec.SpecOneofCase.Compare => new CompareSpec
        {
            First = ValueMapping.ToDomain(spec.Compare.First),
            FirstFormat = spec.Compare.FirstFormat,
            Second = ValueMapping.ToDomain(spec.Compare.Second),
            SecondFormat = spec.Compare.SecondFormat,
            Strict = spec.Compare.Strict,
        },
        P.JobSpec.SpecOneofCase.Commit => new CommitSpec
        {
            Top = ValueMapping.ToDomain(spec.Commit.Top),
            TopFormat = spec.Commit.TopFormat,
            Base = FromOptional(spec.Commit.Base),
            KeepTop = spec.Commit.KeepTop,
        },
        P.JobSpec.SpecOneofCase.Rebase => new RebaseSpec
        {
            Image = ValueMapping.ToDomain(spec.Rebase.Image),
            Format = spec.Rebase.Format,
            Backing = FromOptional(spec.Rebase.Backing),
            BackingFormat = spec.Rebase.BackingFormat,
            Unsafe = spec.Rebase.Unsafe,
        },
        P.JobSpec.SpecOneofCase.Change => ToDomain(spec.Change),
        P.JobSpec.SpecOneofCase.Gather => new GatherSpec
        {
            Migration = spec.Gather.Migration,
            Manifest = spec.Gather.Manifest,
            UsedRoots = spec.Gather.Roots.ToImmutableSortedSet(StringComparer.Ordinal),
        },
        _ => throw new ArgumentException("a job of an unknown sort"),
    };

    public static P.JobSettings ToMessage(JobSettings settings) => new()
    {
        Priority = settings.Priority,
        MaxShards = settings.MaxShards,
        MaxFailures = settings.MaxFailures,
        MaxLosses = settings.MaxLosses,
        BytesPerSecond = settings.BytesPerSecond,
        Migration = settings.Migration,
        SharedLimits = { settings.SharedLimits },
        SharedRates = { settings.SharedRates.ToDictionary(rate => rate.Key, rate => new P.SharedRate { BytesPerSecond = rate.Value.BytesPerSecond, Root = rate.Value.Root }) },
    };

    public static JobSettings ToDomain(P.JobSettings? settings) => settings is null ? JobSettings.Default : new JobSettings
    {
        Priority = settings.Priority,
        MaxShards = settings.MaxShards,
        MaxFailures = settings.MaxFailures,
        MaxLosses = settings.MaxLosses,
        BytesPerSecond = settings.BytesPerSecond,
        Migration = settings.Migration,
        SharedLimits = settings.SharedLimits.ToImmutableSortedDictionary(StringComparer.Ordinal),
        SharedRates = settings.SharedRates.ToImmutableSortedDictionary(rate => rate.Key, rate => new SharedRate(rate.Value.BytesPerSecond, rate.Value.Root), StringComparer.Ordinal),
    };

    public static P.JobPlan ToMessage(JobPlan plan) => new()
    {
        VirtualSize = (ulong)plan.VirtualSize,
        ShardLength = (ulong)plan.ShardLength,
        Stages = { plan.Stages.Select(stage => new P.StagePlan { Kind = (int)stage.Kind, Shards = (ulong)stage.Shards }) },
        CleanUp = plan.CleanUp,
    };

    public static JobPlan ToDomain(P.JobPlan? plan) => plan is null ? throw new ArgumentException("a plan is missing") : new JobPlan
    {
        VirtualSize = ToLong(plan.VirtualSize),
        ShardLength = ToLong(plan.ShardLength),
        Stages = [.. plan.Stages.Select(stage => new StagePlan(ToEnum<StageKind>(stage.Kind), ToLong(stage.Shards)))],
        CleanUp = plan.CleanUp,
    };

    public static P.JobUse ToMessage(JobUse use) => new() { Image = ValueMapping.ToMessage(use.Image), Purpose = (int)use.Purpose, Token = use.Token };

    public static ImmutableList<JobUse> ToDomain(IEnumerable<P.JobUse> uses) =>
        [.. uses.Select(use => new JobUse(ValueMapping.ToDomain(use.Image), ToEnum<UsePurpose>(use.Purpose), use.Token))];

    public static P.JobEnd ToMessage(JobEnd end) => new() { Outcome = (int)end.Outcome, Reason = end.Reason, At = end.At.UnixMilliseconds };

    public static JobEnd ToDomain(P.JobEnd? end) => end is null
        ? throw new ArgumentException("an end is missing")
        : new JobEnd(ToEnum<JobOutcome>(end.Outcome), end.Reason, ToInstant(end.At));

    public static P.ShardResult ToMessage(ShardResult result)
    {
        var message = new P.ShardResult
        {
            Shard = (ulong)result.Shard,
            Manifest = result.Manifest is { } manifest ? ValueMapping.ToMessage(manifest) : null,
            Digest = { result.Digest.Select(ValueMapping.ToMessage) },
            BytesRead = (ulong)result.BytesRead,
            BytesWritten = (ulong)result.BytesWritten,
            Detail = result.Detail,
        };
        if (result.FirstDifference is { } offset)
        {
            message.FirstDifference = (ulong)offset;
        }

        return message;
    }

    public static ImmutableList<ShardResult> ToDomain(IEnumerable<P.ShardResult> results) => [.. results.Select(ToDomain)];

    public static P.ImageResult ToMessage(ImageResult result) => new()
    {
        Outcome = (int)result.Outcome,
        Reason = result.Reason,
        Digest = result.Digest,
        BytesRead = (ulong)result.BytesRead,
        BytesWritten = (ulong)result.BytesWritten,
    };

    public static ImageResult ToDomain(P.ImageResult? result) => result is null
        ? throw new ArgumentException("a result is missing")
        : new ImageResult(ToEnum<JobOutcome>(result.Outcome), result.Reason, result.Digest, ToLong(result.BytesRead), ToLong(result.BytesWritten));

    public static P.MigratedImage ToMessage(MigratedImage image) => new()
    {
        Index = image.Index,
        Source = ValueMapping.ToMessage(image.Source),
        SourceFormat = image.SourceFormat,
        Target = ToOptional(image.Target),
        VirtualSize = (ulong)image.VirtualSize,
        AllocatedBytes = (ulong)image.AllocatedBytes,
        EstimatedBytes = (ulong)image.EstimatedBytes,
        BasePlusOne = image.Base + 1,
        Progress = (int)image.Progress,
        Reason = image.Reason,
        SourceSecret = image.SourceSecret,
    };

    public static ImmutableList<MigratedImage> ToDomain(IEnumerable<P.MigratedImage> images) => [.. images.Select(ToDomain)];

    private static MigratedImage ToDomain(P.MigratedImage image) => new()
    {
        Index = image.Index,
        Source = ValueMapping.ToDomain(image.Source),
        SourceFormat = image.SourceFormat,
        Target = FromOptional(image.Target),
        VirtualSize = ToLong(image.VirtualSize),
        AllocatedBytes = ToLong(image.AllocatedBytes),
        EstimatedBytes = ToLong(image.EstimatedBytes),
        Base = image.BasePlusOne - 1,
        Progress = ToEnum<ImageProgress>(image.Progress),
        Reason = image.Reason,
        SourceSecret = image.SourceSecret,
    };

    private static ShardResult ToDomain(P.ShardResult result)
    {
        long shard = ToLong(result.Shard);
        return new ShardResult
        {
            Shard = shard,
            Manifest = result.Manifest is null ? null : ValueMapping.ToDomain(result.Manifest, shard),
            Digest = [.. result.Digest.Select(ValueMapping.ToDomain)],
            BytesRead = ToLong(result.BytesRead),
            BytesWritten = ToLong(result.BytesWritten),
            FirstDifference = result.HasFirstDifference ? ToLong(result.FirstDifference) : null,
            Detail = result.Detail,
        };
    }

    private static P.ConvertSpec ToMessage(ConvertSpec convert) => new()
    {
        Source = ValueMapping.ToMessage(convert.Source),
        SourceFormat = convert.SourceFormat,
        Target = ValueMapping.ToMessage(convert.Target),
        TargetFormat = convert.TargetFormat,
        Options = { convert.Options },
        Compress = convert.Compress,
        Backing = ToOptional(convert.Backing),
        BackingFormat = convert.BackingFormat,
        Replace = convert.Replace,
        Verify = (int)convert.Verify,
        WithoutDigest = !convert.TakesDigest,
    };

    private static ConvertSpec ToDomain(P.ConvertSpec convert) => new()
    {
        Source = ValueMapping.ToDomain(convert.Source),
        SourceFormat = convert.SourceFormat,
        Target = ValueMapping.ToDomain(convert.Target),
        TargetFormat = convert.TargetFormat,
        Options = convert.Options.ToImmutableSortedDictionary(StringComparer.Ordinal),
        Compress = convert.Compress,
        Backing = FromOptional(convert.Backing),
        BackingFormat = convert.BackingFormat,
        Replace = convert.Replace,
        Verify = ToEnum<VerifyMode>(convert.Verify),
        TakesDigest = !convert.WithoutDigest,
    };

    private static P.ChangeSpec ToMessage(ChangeSpec change)
    {
        var message = new P.ChangeSpec
        {
            Image = ValueMapping.ToMessage(change.Image),
            Format = change.Format,
            Change = (int)change.Change,
            Snapshot = change.Snapshot,
            Options = { change.Options },
            Backing = ToOptional(change.Backing),
            BackingFormat = change.BackingFormat,
            Force = change.Force,
        };
        if (change.Size is { } size)
        {
            message.Size = (ulong)size;
        }

        return message;
    }

    private static ChangeSpec ToDomain(P.ChangeSpec change) => new()
    {
        Image = ValueMapping.ToDomain(change.Image),
        Format = change.Format,
        Change = ToEnum<UsePurpose>(change.Change),
        Size = change.HasSize ? ToLong(change.Size) : null,
        Snapshot = change.Snapshot,
        Options = change.Options.ToImmutableSortedDictionary(StringComparer.Ordinal),
        Backing = FromOptional(change.Backing),
        BackingFormat = change.BackingFormat,
        Force = change.Force,
    };
}
