using System.Collections.Immutable;
using System.Text.Json;
using ImageCluster.Api;
using ImageCluster.Api.Documents;
using ImageCluster.Imaging.Formats;
using ImageCluster.Jobs;
using ImageCluster.Jobs.Execution;
using ImageCluster.Jobs.Images;
using ImageCluster.Jobs.Manifests;

namespace ImageCluster.Cluster.Operating;

/// <summary>What jobs are to do, between the API and the domain. What comes in is checked as far as that needs no image.</summary>
internal static class Specs
{
    public static JobSpec ToDomain(JobSpecDocument document) => OperationOf(document) with
    {
        Secrets = document.Secrets is { } secrets
            ? secrets.ToImmutableSortedDictionary(secret => Name(secret.Key), secret => secret.Value)
            : ImmutableSortedDictionary<ImageName, string>.Empty,
    };

    /// <summary>Null where the API has no such operation: what a cluster does for itself.</summary>
    public static JobSpecDocument? ToDocument(JobSpec spec) => spec.Secrets.IsEmpty ? OperationOf(spec) : OperationOf(spec) is { } document
        ? document with { Secrets = spec.Secrets.ToDictionary(secret => secret.Key.ToString(), secret => secret.Value) }
        : null;

    private static JobSpec OperationOf(JobSpecDocument document) => document switch
    {
        ConvertSpecDocument convert => new ConvertSpec
        {
            Source = Name(convert.Source),
            SourceFormat = Format(convert.SourceFormat),
            Target = Name(convert.Target),
            TargetFormat = FormatOf(convert.TargetFormat) is { CanCreate: true } format
                ? format.Name
                : throw Invalid($"images of format '{convert.TargetFormat}' can be read, not created"),
            Options = Options(convert.Options),
            Compress = convert.Compress,
            Backing = Optional(convert.Backing),
            BackingFormat = Format(convert.BackingFormat),
            Replace = convert.Replace,
            Verify = convert.Verify is null ? VerifyMode.Compare : Choice<VerifyMode>(convert.Verify, "verify"),
            TakesDigest = convert.Digest ?? true,
        },
        CompareSpecDocument compare => new CompareSpec
        {
            First = Name(compare.First),
            FirstFormat = Format(compare.FirstFormat),
            Second = Name(compare.Second),
            SecondFormat = Format(compare.SecondFormat),
            Strict = compare.Strict,
        },
        CommitSpecDocument commit => new CommitSpec
        {
            Top = Name(commit.Top),
            TopFormat = Format(commit.TopFormat),
            Base = Optional(commit.Base),
            KeepTop = commit.KeepTop,
        },
        RebaseSpecDocument rebase => new RebaseSpec
        {
            Image = Name(rebase.Image),
            Format = Format(rebase.Format),
            Backing = Optional(rebase.Backing),
            BackingFormat = Format(rebase.BackingFormat),
            Unsafe = rebase.Unsafe,
        },
        ChangeSpecDocument change => new ChangeSpec
        {
            Image = Name(change.Image),
            Format = Format(change.Format),
            Change = ChangeOf(change.Change),
            Size = change.Size is < 0 ? throw Invalid("a disk is not smaller than nothing") : change.Size,
            Snapshot = change.Snapshot ?? "",
            Options = Options(change.Options),
            Backing = Optional(change.Backing),
            BackingFormat = Format(change.BackingFormat),
            Force = change.Force,
        },
        _ => throw Invalid($"{document.GetType().Name} is not known"),
    };

    private static JobSpecDocument? OperationOf(JobSpec spec) => spec switch
    {
        ConvertSpec convert => new ConvertSpecDocument
        {
            Source = convert.Source.ToString(),
            SourceFormat = Text(convert.SourceFormat),
            Target = convert.Target.ToString(),
            TargetFormat = convert.TargetFormat,
            Options = convert.Options.IsEmpty ? null : convert.Options,
            Compress = convert.Compress,
            Backing = convert.Backing?.ToString(),
            BackingFormat = Text(convert.BackingFormat),
            Replace = convert.Replace,
            Verify = Word(convert.Verify),
            Digest = convert.TakesDigest ? null : false,
        },
        CompareSpec compare => new CompareSpecDocument
        {
            First = compare.First.ToString(),
            FirstFormat = Text(compare.FirstFormat),
            Second = compare.Second.ToString(),
            SecondFormat = Text(compare.SecondFormat),
            Strict = compare.Strict,
        },
        CommitSpec commit => new CommitSpecDocument
        {
            Top = commit.Top.ToString(),
            TopFormat = Text(commit.TopFormat),
            Base = commit.Base?.ToString(),
            KeepTop = commit.KeepTop,
        },
        RebaseSpec rebase => new RebaseSpecDocument
        {
            Image = rebase.Image.ToString(),
            Format = Text(rebase.Format),
            Backing = rebase.Backing?.ToString(),
            BackingFormat = Text(rebase.BackingFormat),
            Unsafe = rebase.Unsafe,
        },
        ChangeSpec change => new ChangeSpecDocument
        {
            Image = change.Image.ToString(),
            Format = Text(change.Format),
            Change = Word(change.Change),
            Size = change.Size,
            Snapshot = Text(change.Snapshot),
            Options = change.Options.IsEmpty ? null : change.Options,
            Backing = change.Backing?.ToString(),
            BackingFormat = Text(change.BackingFormat),
            Force = change.Force,
        },
        _ => null,
    };

    /// <exception cref="OperationRefusedException">It is not <c>root:path</c>.</exception>
    public static ImageName Name(string text) => ImageName.TryParse(text, out ImageName? name)
        ? name!
        : throw Invalid($"'{text}' is not the name of an image: ROOT:PATH with the root's name and a relative path without '.' and '..' parts");

    private static ImageName? Optional(string? text) => string.IsNullOrEmpty(text) ? null : Name(text);

    private static string Format(string? name) => string.IsNullOrEmpty(name) || name == "probe" ? "" : FormatOf(name).Name;

    private static ImageFormat FormatOf(string name) => FormatRegistry.Find(name) ?? throw Invalid($"unknown format '{name}'");

    private static ImmutableSortedDictionary<string, string> Options(IReadOnlyDictionary<string, string>? options) =>
        options is null ? ImmutableSortedDictionary<string, string>.Empty : options.ToImmutableSortedDictionary(StringComparer.Ordinal);

    private static UsePurpose ChangeOf(string word) => Choice<UsePurpose>(word, "change") switch
    {
        UsePurpose.Create or UsePurpose.Resize or UsePurpose.Amend or UsePurpose.SnapshotCreate or UsePurpose.SnapshotDelete or UsePurpose.SnapshotApply
            or UsePurpose.Repair => Choice<UsePurpose>(word, "change"),
        _ => throw Invalid($"'{word}' is not a change of a whole image"),
    };

    private static T Choice<T>(string word, string what)
        where T : struct, Enum =>
        Enum.GetValues<T>().Where(value => Word(value) == word).Select(value => (T?)value).FirstOrDefault() ?? throw Invalid($"{what} '{word}' is not known");

    private static string Word<T>(T value)
        where T : struct, Enum => JsonNamingPolicy.CamelCase.ConvertName(value.ToString());

    private static string? Text(string text) => text.Length == 0 ? null : text;

    private static OperationRefusedException Invalid(string message) => new(RefusalReason.Invalid, message);
}
