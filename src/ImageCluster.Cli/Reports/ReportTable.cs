using ImageCluster.Cli.Progress;
using ImageCluster.Cli.Wording;
using ImageCluster.Work;
using Spectre.Console;

namespace ImageCluster.Cli.Reports;

/// <summary>A report for people.</summary>
internal static class ReportTable
{
    public static void Write(IAnsiConsole console, MigrationReport report)
    {
        int path = Math.Clamp((console.Profile.Width - 62) / 2, 14, 100);
        Table table = new Table().Border(TableBorder.Simple).Collapse();
        table.AddColumn(new TableColumn("Source").NoWrap());
        table.AddColumn(new TableColumn("Target").NoWrap());
        table.AddColumn(new TableColumn("Data").RightAligned().NoWrap());
        table.AddColumn(new TableColumn("Target size").RightAligned().NoWrap());
        table.AddColumn(new TableColumn("Time").RightAligned().NoWrap());
        table.AddColumn(new TableColumn("Outcome").NoWrap());
        foreach (ImageProgress image in report.Images)
        {
            bool done = image.Stage == ImageStage.Done;
            table.AddRow(
                Safe(Quantity.Shortened(image.Label, path)),
                done ? Safe(Quantity.Shortened(image.Plan.Target!.Path, path)) : "",
                image.Plan.Chain.Count > 0 ? Quantity.Bytes(image.DataBytes) : "",
                done ? Quantity.Bytes(image.TargetBytes) : "",
                done ? Quantity.Duration(image.Elapsed(report.Time)) : "",
                Outcome(image));
        }

        console.Write(table);
        foreach (ImageProgress image in report.Images.Where(image => image.Stage is ImageStage.Failed))
        {
            console.MarkupLine($"[red]Failed:[/] {Safe(image.Label)}: {Safe(image.Reason ?? "")}");
        }
    }

    /// <summary>One line for all of it.</summary>
    public static void WriteTotals(IAnsiConsole console, MigrationReport report)
    {
        long data = report.Images.Where(image => image.Stage == ImageStage.Done).Sum(image => image.DataBytes - Math.Min(image.DataBytes, image.ResumedBytes));
        int verified = report.Images.Count(image => image is { Stage: ImageStage.Done, Verifies: true });
        int before = report.DoneBefore;
        string[] parts =
        [
            $"{report.Count(ImageStage.Done) + before} of {Quantity.Count(report.Images.Count, "image")} done{(verified > 0 ? $" ({verified} verified)" : "")}",
            .. Part(before, "of them before"),
            .. Part(report.Count(ImageStage.Skipped) - before, "skipped"),
            .. Part(report.Count(ImageStage.Failed), "[red]failed[/]"),
            .. Part(report.Count(ImageStage.Interrupted), "stopped"),
        ];
        string rate = data > 0 ? $", {Quantity.Bytes(data)} of data at {Quantity.Rate(data / Math.Max(0.001, report.Elapsed.TotalSeconds))}" : "";
        if (report.Images.All(image => image.Stage == ImageStage.Skipped))
        {
            int others = report.Images.Count - before;
            string[] why = [.. Part(before, "done before"), .. Part(others, "skipped")];
            console.MarkupLine($"Nothing to do: of {Quantity.Count(report.Images.Count, "image")} {string.Join(", ", why)}.");
            return;
        }

        console.MarkupLine($"{string.Join(", ", parts)} in {Quantity.Duration(report.Elapsed)}{rate}.");
        if (report.WasStopped)
        {
            console.MarkupLine("Stopped. Run the same command again to go on from here.");
        }
    }

    private static string[] Part(int count, string what) => count > 0 ? [$"{count} {what}"] : [];

    private static string Outcome(ImageProgress image) => image.Stage switch
    {
        ImageStage.Done => image.Verifies ? "[green]verified[/]" : "[green]done[/]",
        ImageStage.Failed => "[red]failed[/]",
        ImageStage.Skipped => $"[grey]skipped: {Safe(image.Reason ?? "")}[/]",
        _ => "[yellow]stopped[/]",
    };

    private static string Safe(string text) => Markup.Escape(ErrorText.OneLine(text));
}
