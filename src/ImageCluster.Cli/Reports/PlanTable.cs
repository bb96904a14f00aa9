using ImageCluster.Cli.Wording;
using ImageCluster.Jobs.Plans;
using ImageCluster.Work;
using Spectre.Console;

namespace ImageCluster.Cli.Reports;

/// <summary>A plan for people: what becomes of each image, the totals, and what stands in the way.</summary>
internal static class PlanTable
{
    public static void Write(IAnsiConsole console, MigrationPlan plan, string targetDirectory)
    {
        if (plan.Images.Count > 0)
        {
            console.Write(Table(plan, console.Profile.Width));
        }

        console.WriteLine();
        int convert = plan.ToConvert.Count();
        console.MarkupLine($"{Quantity.Count(convert, "image")} to convert: {Quantity.Bytes(plan.TotalVirtualSize)} virtual, " +
            $"{Quantity.Bytes(plan.TotalAllocatedBytes)} of data, at most {Quantity.Bytes(plan.TotalEstimatedBytes)} of targets.");
        console.MarkupLine($"Free on {Safe(targetDirectory)}: {(plan.FreeBytes is { } free ? Quantity.Bytes(free) : "not known")}.");
        WriteReasons(console, plan);
    }

    /// <summary>Why images are left out and why the migration cannot start, a line each.</summary>
    public static void WriteReasons(IAnsiConsole console, MigrationPlan plan)
    {
        foreach (PlannedImage image in plan.Images.Where(image => image.Action == PlanAction.Refuse && !plan.Refusals.Any(refusal => refusal.Message == image.Reason)))
        {
            console.MarkupLine($"[yellow]Cannot be converted:[/] {Safe(image.Source.ToString())}: {Safe(image.Reason ?? "")}");
        }

        foreach (PlanRefusal refusal in plan.Refusals)
        {
            console.MarkupLine($"[red]Refused:[/] {Safe(ErrorText.Join(refusal.Message, refusal.Hint))}");
        }
    }

    private static Table Table(MigrationPlan plan, int width)
    {
        // Two columns of paths share what the numbers leave.
        int path = Math.Clamp((width - 66) / 2, 14, 100);
        Table table = new Table().Border(TableBorder.Simple).Collapse();
        table.AddColumn(new TableColumn("Source").NoWrap());
        table.AddColumn(new TableColumn("Format").NoWrap());
        table.AddColumn(new TableColumn("Chain").RightAligned().NoWrap());
        table.AddColumn(new TableColumn("Virtual").RightAligned().NoWrap());
        table.AddColumn(new TableColumn("Data").RightAligned().NoWrap());
        table.AddColumn(new TableColumn("At most").RightAligned().NoWrap());
        table.AddColumn(new TableColumn("Target").NoWrap());
        foreach (PlannedImage image in plan.Images)
        {
            bool known = image.Chain.Count > 0;
            table.AddRow(
                Safe(Quantity.Shortened(image.Source.Path, path)),
                Safe(image.SourceFormat),
                image.Chain.Count > 1 ? $"{image.Chain.Count}" : "",
                known ? Quantity.Bytes(image.VirtualSize) : "",
                known ? Quantity.Bytes(image.AllocatedBytes) : "",
                image.Action == PlanAction.Convert ? Quantity.Bytes(image.EstimatedBytes) : "",
                Target(image, path));
        }

        return table;
    }

    private static string Target(PlannedImage image, int width) => image.Action switch
    {
        PlanAction.Skip => $"[grey]skipped: {Safe(image.Reason ?? "")}[/]",
        PlanAction.Refuse => "[red]refused[/]",
        _ => Safe(Quantity.Shortened(image.Target?.Path ?? "", width)) + (image.Replaces ? " [yellow](replaced)[/]" : "") +
            (image.BackingTarget is { } backing ? $" [grey]on {Safe(Quantity.Shortened(backing.Path, width))}[/]" : ""),
    };

    private static string Safe(string text) => Markup.Escape(ErrorText.OneLine(text));
}
