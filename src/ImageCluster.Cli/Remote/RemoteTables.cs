using ImageCluster.Api.Documents;
using ImageCluster.Cli.Wording;
using ImageCluster.Work;
using Spectre.Console;

namespace ImageCluster.Cli.Remote;

/// <summary>What a cluster says, as tables for people.</summary>
internal static class RemoteTables
{
    /// <param name="console">Where it is written.</param>
    /// <param name="list">As the cluster lists them.</param>
    /// <param name="all">Those that are over were asked for too.</param>
    /// <param name="time">By which their age is told.</param>
    public static void Migrations(IAnsiConsole console, MigrationList list, bool all, TimeProvider time)
    {
        if (list.Items.Count == 0)
        {
            console.MarkupLine(None("migrations", all));
            return;
        }

        Table table = New(("Migration", false), ("Name", false), ("State", false), ("Images", true), ("Done", true), ("Failed", true), ("Data", true), ("", true), ("Submitted", true));
        foreach (MigrationDocument migration in list.Items)
        {
            int failed = migration.Images.Failed + migration.Images.Refused;
            table.AddRow(Safe(migration.Id), Safe(migration.Name), State(migration.State), $"{migration.Images.Total}",
                $"{migration.Images.Succeeded + migration.Images.Skipped}", failed > 0 ? $"[red]{failed}[/]" : "0", Quantity.Bytes(migration.PlannedBytes),
                Percent(migration.DoneBytes, migration.PlannedBytes), Ago(migration.SubmittedAt, time));
        }

        console.Write(table);
        More(console, list.Items.Count, list.Total);
    }

    public static void Migration(IAnsiConsole console, MigrationDocument migration, TimeProvider time)
    {
        console.MarkupLine($"[bold]{Safe(migration.Id)}[/]  {Safe(migration.Name)}  {State(migration.State)}");
        string by = migration.SubmittedBy is { } who ? $" by {Safe(who)}" : "";
        string ended = migration.EndedAt is { } end ? $", took {Quantity.Duration(end - migration.SubmittedAt)}" : "";
        console.MarkupLine($"Submitted {Ago(migration.SubmittedAt, time)}{by}{ended}.");
        ImageCounts images = migration.Images;
        string[] parts =
        [
            $"{images.Succeeded} done", .. Part(images.Running, "in work"), .. Part(images.Waiting, "waiting"), .. Part(images.Skipped, "skipped"),
            .. Part(images.Failed, "failed"), .. Part(images.Refused, "refused"), .. Part(images.Cancelled, "cancelled"),
        ];
        console.MarkupLine($"{Quantity.Count(images.Total, "image")}: {string.Join(", ", parts)}; {Quantity.Bytes(migration.DoneBytes)} of {Quantity.Bytes(migration.PlannedBytes)} of data.");
        foreach (string reason in migration.Reasons)
        {
            console.MarkupLine($"[red]{Safe(reason)}[/]");
        }

        if (migration.Running.Count > 0)
        {
            Images(console, migration.Running);
        }
    }

    /// <summary>Images of a migration.</summary>
    public static void Images(IAnsiConsole console, IReadOnlyList<MigrationImageDocument> images)
    {
        int path = Math.Clamp((console.Profile.Width - 50) / 2, 14, 100);
        Table table = New(("Source", false), ("Target", false), ("Data", true), ("State", false), ("Step", false), ("", true));
        foreach (MigrationImageDocument image in images)
        {
            table.AddRow(Safe(Quantity.Shortened(image.Source, path)), Safe(Quantity.Shortened(image.Target ?? "", path)), Quantity.Bytes(image.DataBytes),
                State(image.State), Safe(image.Stage ?? ""), image.Shards > 0 ? Percent(image.ShardsDone, image.Shards) : "");
        }

        console.Write(table);
        foreach (MigrationImageDocument image in images.Where(image => image.Reason is not null))
        {
            console.MarkupLine($"{Safe(image.Source)}: {Safe(image.Reason!)}");
        }
    }

    /// <param name="console">Where it is written.</param>
    /// <param name="list">As the cluster lists them.</param>
    /// <param name="all">Those that are over were asked for too.</param>
    public static void Jobs(IAnsiConsole console, JobList list, bool all)
    {
        if (list.Items.Count == 0)
        {
            console.MarkupLine(None("jobs", all));
            return;
        }

        Table table = New(("Job", false), ("Operation", false), ("State", false), ("Step", false), ("", true));
        foreach (JobDocument job in list.Items)
        {
            table.AddRow(Safe(job.Id), Safe(job.Operation), State(job.State), Safe(job.Stage ?? ""), job.Shards > 0 ? Percent(job.ShardsDone, job.Shards) : "");
        }

        console.Write(table);
        More(console, list.Items.Count, list.Total);
    }

    public static void Job(IAnsiConsole console, JobDocument job, TimeProvider time)
    {
        console.MarkupLine($"[bold]{Safe(job.Id)}[/]  {Safe(job.Operation)}  {State(job.State)}");
        console.MarkupLine($"Submitted {Ago(job.SubmittedAt, time)}.");
        if (job.Stage is { } stage)
        {
            console.MarkupLine($"Step {Safe(stage)}: {job.ShardsDone} of {Quantity.Count((int)Math.Min(int.MaxValue, job.Shards), "shard")}, {job.ShardsInWork} in work.");
        }

        console.MarkupLine($"{Quantity.Bytes(job.BytesRead)} read, {Quantity.Bytes(job.BytesWritten)} written.");
        if (job.FirstDifference is { } offset)
        {
            console.MarkupLine($"The images differ at offset {offset}.");
        }

        if (job.Reason is { } reason)
        {
            console.MarkupLine($"[yellow]{Safe(reason)}[/]");
        }

        foreach (TroubleDocument trouble in job.Troubles)
        {
            console.MarkupLine($"Shard {trouble.Shard} failed {trouble.Failures} and was lost {trouble.Losses} times: {Safe(trouble.Reason)}");
        }
    }

    public static void InUse(IAnsiConsole console, ImageList list)
    {
        if (list.Items.Count == 0)
        {
            console.MarkupLine("No image is in use.");
            return;
        }

        Table table = New(("Image", false), ("Used by", false), ("For", false), ("Token", true), ("Lease", true));
        foreach (ImageDocument image in list.Items)
        {
            foreach (ImageUseDocument use in image.Users)
            {
                string released = use.Released is { } reason ? $" [yellow](released: {Safe(reason)})[/]" : "";
                table.AddRow(Safe(image.Name), Safe(use.Holder), (use.Exclusive ? $"[yellow]{Safe(use.Purpose)}[/]" : Safe(use.Purpose)) + released, $"{use.Token}",
                    use.SecondsLeft is { } left ? Quantity.Duration(TimeSpan.FromSeconds(left)) : "");
            }
        }

        console.Write(table);
        More(console, list.Items.Count, list.Total);
    }

    public static void Workers(IAnsiConsole console, WorkerList list, QueueDocument queue)
    {
        if (list.Items.Count > 0)
        {
            Table table = New(("Worker", false), ("Address", false), ("Busy", true), ("Slots", true), ("Roots", false));
            foreach (WorkerDocument worker in list.Items)
            {
                table.AddRow(Safe(worker.Id), Safe(worker.Address ?? ""), $"{worker.Slots - worker.FreeSlots}", $"{worker.Slots}", Safe(string.Join(", ", worker.Roots)));
            }

            console.Write(table);
        }

        console.MarkupLine($"{Quantity.Count(list.Items.Count, "worker")}; {queue.InWork} shards in work, {queue.Waiting} waiting.");
    }

    // Whoever has just submitted one is not to think that it was lost.
    private static string None(string what, bool all) => all ? $"No {what}." : $"No {what} in progress; --all shows those that are over.";

    private static Table New(params (string Heading, bool Right)[] columns)
    {
        Table table = new Table().Border(TableBorder.Simple).Collapse();
        foreach ((string heading, bool right) in columns)
        {
            TableColumn column = new TableColumn(heading).NoWrap();
            table.AddColumn(right ? column.RightAligned() : column);
        }

        return table;
    }

    private static void More(IAnsiConsole console, int shown, int total)
    {
        if (shown < total)
        {
            console.MarkupLine($"{shown} of {total} shown.");
        }
    }

    private static string State(string state) => state switch
    {
        "succeeded" => "[green]succeeded[/]",
        "failed" or "refused" => $"[red]{state}[/]",
        "cancelled" or "paused" or "cancelling" => $"[yellow]{state}[/]",
        _ => Safe(state),
    };

    private static string Percent(long part, long whole) => whole > 0 ? $"{Math.Floor(100.0 * Math.Clamp(part, 0, whole) / whole):0}%" : "";

    private static string Ago(DateTimeOffset then, TimeProvider time)
    {
        TimeSpan passed = time.GetUtcNow() - then;
        return passed < TimeSpan.FromSeconds(1) ? "just now" : $"{Quantity.Duration(passed)} ago";
    }

    private static string[] Part(int count, string what) => count > 0 ? [$"{count} {what}"] : [];

    private static string Safe(string text) => Markup.Escape(ErrorText.OneLine(text));
}
