using System.Text.Json.Nodes;
using ImageCluster.Cli.Reports;

namespace ImageCluster.Cli.Progress;

/// <summary>
/// One JSON object a line, for programs (docs/migrate.md has the fields): <c>image</c> when an image enters a stage, <c>progress</c> now and then,
/// <c>note</c> for what the user should know.
/// </summary>
/// <param name="output">Where lines go.</param>
/// <param name="interval">Time between two progress lines.</param>
internal sealed class JsonLinesDisplay(TextWriter output, TimeSpan interval) : IProgressDisplay
{
    public Task Follow(ProgressBoard board, Func<Task> start)
    {
        void OnStage(ImageProgress image) => Write(Describe(image, board));
        void OnNote(string line) => Write(new JsonObject { ["event"] = "note", ["message"] = line });

        board.StageChanged += OnStage;
        board.Noted += OnNote;
        try
        {
            Task work = start();
            while (!PlainDisplay.Ended(work, interval))
            {
                Write(Describe(board));
            }

            return work;
        }
        finally
        {
            board.StageChanged -= OnStage;
            board.Noted -= OnNote;
        }
    }

    public void Write(JsonObject line)
    {
        lock (output)
        {
            output.WriteLine(line.ToJsonString(JsonOutput.Line));
            output.Flush();
        }
    }

    private static JsonObject Describe(ImageProgress image, ProgressBoard board)
    {
        var line = new JsonObject
        {
            ["event"] = "image",
            ["source"] = image.Source.ToString(),
            ["target"] = image.Plan.Target?.ToString(),
            ["stage"] = StageText.Word(image.Stage),
            ["dataBytes"] = image.DataBytes,
            ["resumedBytes"] = image.ResumedBytes,
            ["seconds"] = Math.Round(image.Elapsed(board.Time).TotalSeconds, 3),
        };
        if (image.Reason is not null)
        {
            line["reason"] = image.Reason;
        }

        if (image.Digest is not null)
        {
            line["digest"] = image.Digest;
        }

        return line;
    }

    private static JsonObject Describe(ProgressBoard board)
    {
        ProgressTotals totals = board.Totals();
        return new JsonObject
        {
            ["event"] = "progress",
            ["seconds"] = Math.Round(board.Elapsed.TotalSeconds, 3),
            ["workDone"] = totals.WorkDone,
            ["workTotal"] = totals.WorkTotal,
            ["bytesPerSecond"] = (long)totals.Rate,
            ["secondsLeft"] = totals.Left is { } left ? Math.Round(left.TotalSeconds, 1) : null,
            ["images"] = totals.Images,
            ["done"] = totals.Done,
            ["skipped"] = totals.Skipped,
            ["failed"] = totals.Failed,
            ["running"] = new JsonArray([.. board.Images.Where(image => image.IsRunning).Select(image => (JsonNode)new JsonObject
            {
                ["source"] = image.Source.ToString(),
                ["stage"] = StageText.Word(image.Stage),
                ["workDone"] = image.WorkDone,
                ["workTotal"] = image.WorkTotal,
            })]),
        };
    }
}
