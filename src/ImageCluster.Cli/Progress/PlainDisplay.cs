using ImageCluster.Cli.Wording;

namespace ImageCluster.Cli.Progress;

/// <summary>A line for each thing that happens, and one for the total now and then: for files, pipes and logs.</summary>
/// <param name="output">Where lines go.</param>
/// <param name="interval">Time between two lines of the total.</param>
internal sealed class PlainDisplay(TextWriter output, TimeSpan interval) : IProgressDisplay
{
    public Task Follow(ProgressBoard board, Func<Task> start)
    {
        void OnStage(ImageProgress image) => Line(Describe(image, board.Time));

        board.StageChanged += OnStage;
        board.Noted += Line;
        try
        {
            Task work = start();
            while (!Ended(work, interval))
            {
                Line(Describe(board.Totals()));
            }

            return work;
        }
        finally
        {
            board.StageChanged -= OnStage;
            board.Noted -= Line;
        }
    }

    internal static bool Ended(Task work, TimeSpan within)
    {
        // Not Wait: what the work throws is for the one who started it.
        return Task.WhenAny(work, Task.Delay(within)).GetAwaiter().GetResult() == work;
    }

    private static string Describe(ImageProgress image, TimeProvider time) => image.Stage switch
    {
        ImageStage.Converting => $"{image.Label}: converting {Quantity.Bytes(image.DataBytes)} to {image.Plan.Target?.Path}",
        ImageStage.Verifying => $"{image.Label}: verifying",
        ImageStage.Publishing => "",
        _ => $"{image.Label}: {StageText.Word(image.Stage)}: {StageText.Outcome(image, time)}",
    };

    private static string Describe(ProgressTotals totals) =>
        $"{totals.Fraction * 100:0}% of {Quantity.Bytes(totals.WorkTotal)}, {Quantity.Rate(totals.Rate)}, {Quantity.Clock(totals.Left)} left; " +
        $"{totals.Done + totals.Skipped} of {Quantity.Count(totals.Images, "image")} done{(totals.Failed > 0 ? $", {totals.Failed} failed" : "")}";

    private void Line(string text)
    {
        if (text.Length > 0)
        {
            lock (output)
            {
                output.WriteLine(text);
                output.Flush();
            }
        }
    }
}
