using ImageCluster.Api.Documents;

namespace ImageCluster.Api.Operating;

/// <summary><c>migration ...</c></summary>
internal static class MigrationCommands
{
    private static readonly OperatorArgument Id = CommonArguments.Id("migration");

    public static OperatorPalette Palette { get; } = new("migration", "Migrations of many images.",
    [
        new("list", "Migrations, newest first.",
            [CommonArguments.State("planning", "running", "paused", "cancelling", "succeeded", "failed", "cancelled"), CommonArguments.Limit, CommonArguments.Offset],
            ListAsync),
        new("show", "One migration, with the images in work.", [Id], ShowAsync),
        new("images", "The images of a migration.",
            [Id, CommonArguments.State("waiting", "running", "succeeded", "failed", "cancelled", "skipped", "refused"), CommonArguments.Limit, CommonArguments.Offset],
            ImagesAsync),
        new("submit", "Submits a migration. The same manifest by the same id again changes nothing.",
            [
                new("manifest", ["-m", "--manifest"], "The manifest itself, in one line: JSON, which is YAML too."),
                new("file", ["-f", "--file"], "A manifest in the node's directory for manifests."),
                new("id", ["-i", "--id"], "What it shall be called by; the node chooses otherwise."),
            ],
            SubmitAsync),
        new("pause", "Starts nothing new of a migration; what is in work is finished.", [Id], ActAsync(ActionKind.Pause)),
        new("resume", "Goes on with a paused migration.", [Id], ActAsync(ActionKind.Resume)),
        new("cancel", "Ends a migration; unfinished targets are removed.", [Id], ActAsync(ActionKind.Cancel)),
        new("retry", "Tries images again that failed or were cancelled.", [Id], ActAsync(ActionKind.Retry)),
    ]);

    private static async Task<string> ListAsync(OperatorCall call, CancellationToken cancel)
    {
        ListQuery query = CommonArguments.Query(call.Arguments);
        MigrationList list = await call.Cluster.ListMigrationsAsync(query, cancel).ConfigureAwait(false);
        var table = new TextTable("ID", "NAME", "STATE", ">IMAGES", ">DONE", ">FAILED", ">DATA", ">%", "SUBMITTED");
        foreach (MigrationDocument migration in list.Items)
        {
            table.Add(migration.Id, migration.Name, migration.State, FactText.Number(migration.Images.Total),
                FactText.Number(migration.Images.Succeeded + migration.Images.Skipped), FactText.Number(migration.Images.Failed + migration.Images.Refused),
                FactText.Bytes(migration.PlannedBytes), FactText.Percent(migration.DoneBytes, migration.PlannedBytes), FactText.Time(migration.SubmittedAt));
        }

        return table.ToText("no migrations") + CommonArguments.More(query, list.Items.Count, list.Total);
    }

    private static async Task<string> ShowAsync(OperatorCall call, CancellationToken cancel) =>
        Describe(await call.Cluster.GetMigrationAsync(call.Arguments.Get("id"), cancel).ConfigureAwait(false));

    private static async Task<string> ImagesAsync(OperatorCall call, CancellationToken cancel)
    {
        ListQuery query = CommonArguments.Query(call.Arguments);
        MigrationImageList list = await call.Cluster.ListMigrationImagesAsync(call.Arguments.Get("id"), query, cancel).ConfigureAwait(false);
        return Images(list.Items).ToText("no images") + CommonArguments.More(query, list.Items.Count, list.Total);
    }

    private static async Task<string> SubmitAsync(OperatorCall call, CancellationToken cancel)
    {
        string? file = call.Arguments.Find("file");
        string? manifest = call.Arguments.Find("manifest");
        if (file is null == manifest is null)
        {
            throw OperatorArguments.Invalid("'submit' needs either --manifest or --file");
        }

        manifest ??= call.ReadManifest is { } read
            ? read(file!)
            : throw OperatorArguments.Invalid("this node keeps no manifests for its operators; give the manifest itself with --manifest");
        var submission = new MigrationSubmission { Id = call.Arguments.Find("id"), Manifest = manifest, By = call.By };
        MigrationDocument migration = await call.Cluster.SubmitMigrationAsync(submission, cancel).ConfigureAwait(false);
        return $"submitted as {migration.Id}\n{Describe(migration)}";
    }

    private static Func<OperatorCall, CancellationToken, Task<string>> ActAsync(ActionKind action) => async (call, cancel) =>
        Describe(await call.Cluster.ActOnMigrationAsync(call.Arguments.Get("id"), action, new ActionRequest(call.By), cancel).ConfigureAwait(false));

    private static string Describe(MigrationDocument migration)
    {
        ImageCounts images = migration.Images;
        TextFacts facts = new TextFacts()
            .Add("id", migration.Id)
            .Add("name", migration.Name)
            .Add("state", migration.State)
            .Add("submitted", $"{FactText.Time(migration.SubmittedAt)}{(migration.SubmittedBy is { } by ? $" by {by}" : "")}")
            .Add("ended", FactText.Time(migration.EndedAt))
            .Add("images", $"{FactText.Number(images.Total)}: {images.Succeeded} done, {images.Running} in work, {images.Waiting} waiting, " +
                $"{images.Failed} failed, {images.Cancelled} cancelled, {images.Skipped} skipped, {images.Refused} refused")
            .Add("data", $"{FactText.Bytes(migration.DoneBytes)} of {FactText.Bytes(migration.PlannedBytes)} ({FactText.Percent(migration.DoneBytes, migration.PlannedBytes)})");
        foreach (string reason in migration.Reasons)
        {
            facts.Add("reason", reason);
        }

        return migration.Running.Count == 0 ? facts.ToString() : $"{facts}\n\n{Images(migration.Running).ToText("")}";
    }

    private static TextTable Images(IReadOnlyList<MigrationImageDocument> images)
    {
        var table = new TextTable(">NO", "SOURCE", "TARGET", "STATE", "STAGE", ">SHARDS", ">DATA", "JOB", "REASON");
        foreach (MigrationImageDocument image in images)
        {
            table.Add(FactText.Number(image.Index), image.Source, image.Target ?? "", image.State, image.Stage ?? "",
                image.Shards > 0 ? $"{image.ShardsDone}/{image.Shards}" : "", FactText.Bytes(image.DataBytes), image.Job ?? "", image.Reason ?? "");
        }

        return table;
    }
}
