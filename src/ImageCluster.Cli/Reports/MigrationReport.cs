using System.Globalization;
using System.Text.Json.Nodes;
using ImageCluster.Cli.Commands;
using ImageCluster.Cli.Progress;
using ImageCluster.Jobs.Execution;
using ImageCluster.Jobs.Manifests;
using ImageCluster.Jobs.Plans;
using ImageCluster.Work.Gathering;
using ImageCluster.Work.Roots;

namespace ImageCluster.Cli.Reports;

/// <summary>What a run did, for the table and for the JSON document (docs/migrate.md describes its fields). Sizes in bytes.</summary>
internal sealed class MigrationReport
{
    public required MigrationManifest Manifest { get; init; }

    public required RootMap Roots { get; init; }

    public required GatheredPlan Gathered { get; init; }

    public required IReadOnlyList<ImageProgress> Images { get; init; }

    public required DateTimeOffset StartedAt { get; init; }

    public required TimeSpan Elapsed { get; init; }

    public required TimeProvider Time { get; init; }

    public bool WasStopped { get; init; }

    public int Defects { get; init; }

    public int ExitCode => Defects > 0 ? Cli.ExitCode.Internal
        : WasStopped ? Cli.ExitCode.Interrupted
        : Images.Any(image => image.Stage == ImageStage.Failed) ? Cli.ExitCode.SomeFailed
        : Cli.ExitCode.Done;

    public int Count(ImageStage stage) => Images.Count(image => image.Stage == stage);

    /// <summary>Images that are skipped because an earlier run has done them.</summary>
    public int DoneBefore => Images.Count(image => image.Stage == ImageStage.Skipped && Gathered.DoneEarlier.ContainsKey(image.Plan.Source));

    public JsonObject ToDocument()
    {
        TargetDefinition target = Manifest.Target;
        return new JsonObject
        {
            ["report"] = 1,
            ["imagecluster"] = VersionCommand.Version,
            ["migration"] = Manifest.Name,
            ["outcome"] = WasStopped ? "stopped" : ExitCode == Cli.ExitCode.Done ? "done" : "failed",
            ["exitCode"] = ExitCode,
            ["startedAt"] = StartedAt.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture),
            ["seconds"] = Math.Round(Elapsed.TotalSeconds, 3),
            ["targetRoot"] = Roots.Of(target.Root.Text),
            ["targetFormat"] = target.Format,
            ["targetOptions"] = new JsonObject(target.Options.Select(option => KeyValuePair.Create(option.Key, (JsonNode?)option.Value))),
            ["compress"] = target.Compress,
            ["verify"] = Manifest.Verify.ToString().ToLowerInvariant(),
            ["images"] = new JsonArray([.. Images.Select(Image)]),
            ["totals"] = new JsonObject
            {
                ["images"] = Images.Count,
                ["done"] = Count(ImageStage.Done),
                ["skipped"] = Count(ImageStage.Skipped),
                ["failed"] = Count(ImageStage.Failed),
                ["stopped"] = Count(ImageStage.Interrupted),
                ["dataBytes"] = Images.Where(image => image.Stage == ImageStage.Done).Sum(image => image.DataBytes),
                ["targetBytes"] = Images.Where(image => image.Stage == ImageStage.Done).Sum(image => image.TargetBytes),
            },
        };
    }

    private JsonNode Image(ImageProgress image)
    {
        PlannedImage plan = image.Plan;
        JobState? earlier = image.Stage == ImageStage.Skipped ? Gathered.DoneEarlier.GetValueOrDefault(plan.Source) : null;
        bool isThere = image.Stage == ImageStage.Done || earlier is not null;
        string? digest = image.Digest ?? (earlier is { Digest.Length: > 0 } ? earlier.Digest : null);
        var document = new JsonObject
        {
            ["source"] = plan.Source.ToString(),
            ["sourceFile"] = Roots.PathOf(plan.Source),
            ["sourceFormat"] = plan.SourceFormat.Length > 0 ? plan.SourceFormat : null,
            ["target"] = plan.Target?.ToString(),
            ["targetFile"] = isThere && plan.Target is not null ? Roots.PathOf(plan.Target) : null,
            ["outcome"] = StageText.Word(image.Stage),
        };
        if (image.Reason is not null)
        {
            document["reason"] = image.Reason;
        }

        if (plan.Chain.Count > 0)
        {
            document["virtualSize"] = plan.VirtualSize;
            document["dataBytes"] = image.DataBytes;
        }
        else if (earlier?.Plan is { } made)
        {
            document["virtualSize"] = made.VirtualSize;
        }

        if (image.Stage == ImageStage.Done)
        {
            document["targetBytes"] = image.TargetBytes;
            document["seconds"] = Math.Round(image.Elapsed(Time).TotalSeconds, 3);
            document["resumedBytes"] = image.ResumedBytes;
            document["verified"] = image.Verifies;
        }

        if (digest is not null)
        {
            document["digest"] = digest;
        }

        return document;
    }
}
