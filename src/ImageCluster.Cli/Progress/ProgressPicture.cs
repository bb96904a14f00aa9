using ImageCluster.Cli.Wording;
using ImageCluster.Work;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace ImageCluster.Cli.Progress;

/// <summary>Draws a frame of <see cref="TerminalDisplay"/> for a terminal of a given size.</summary>
/// <param name="unicode">The terminal shows more than ASCII.</param>
internal sealed class ProgressPicture(bool unicode)
{
    private const int MaxWidth = 140;
    private const int MinBar = 10;
    private const int MaxBar = 40;

    // What stands right of the bar: percent, amount, rate, time left, stage where it is not converting.
    private const int FactsWidth = 4 + 2 + 22 + 2 + 12 + 2 + 8 + 2 + 9;
    private const int ShortFactsWidth = 4 + 2 + 8;

    private readonly Dictionary<ImageProgress, RateMeter> _meters = [];
    private int _frame;

    /// <summary>The running images and the total.</summary>
    public IRenderable Draw(ProgressBoard board, int width, int height)
    {
        _frame++;
        width = Math.Min(width - 1, MaxWidth);
        bool wide = width >= 92;
        int facts = wide ? FactsWidth : ShortFactsWidth;
        int bar = Math.Clamp(width / 4, MinBar, MaxBar);
        int name = Math.Max(8, width - facts - bar - 8);

        ImageProgress[] running = [.. board.Images.Where(image => image.IsRunning)];
        int rows = Math.Max(1, Math.Min(running.Length, height - 5));
        var lines = new List<string>();
        foreach (ImageProgress image in running.Take(rows))
        {
            lines.Add(ImageLine(image, board, name, bar, wide));
        }

        if (running.Length > rows)
        {
            lines.Add($"  [grey]and {running.Length - rows} more[/]");
        }

        ForgetEnded(running);
        lines.Add(TotalLine(board.Totals(), name, bar, wide));
        lines.Add(CountsLine(board, wide));
        return new Rows(lines.Select(line => new Markup(line).Overflow(Overflow.Crop)));
    }

    /// <summary>The line that remains of an image.</summary>
    public string EndedLine(ImageProgress image, TimeProvider time, int width)
    {
        (string color, string mark) = image.Stage switch
        {
            ImageStage.Done => ("green", unicode ? "✓" : "ok"),
            ImageStage.Failed => ("red", unicode ? "✗" : "FAILED"),
            ImageStage.Skipped => ("grey", unicode ? "·" : "skipped"),
            _ => ("yellow", unicode ? "‖" : "stopped"),
        };
        string outcome = StageText.Outcome(image, time);
        string source = image.Label;
        string target = image.Stage == ImageStage.Done && image.Plan.Target is { } to ? $" {Arrow} {to.Path}" : "";
        if (source.Length + target.Length + outcome.Length + 6 > width)
        {
            target = "";
        }

        return $" [{color}]{mark}[/] {Safe(source)}{Safe(target)}  [grey]{Safe(outcome)}[/]";
    }

    private string Arrow => unicode ? "→" : "->";

    private string ImageLine(ImageProgress image, ProgressBoard board, int name, int bar, bool wide)
    {
        if (!_meters.TryGetValue(image, out RateMeter? meter))
        {
            _meters.Add(image, meter = new RateMeter());
        }

        double rate = meter.Add(board.Elapsed.TotalSeconds, image.ConvertedBytes + image.VerifiedBytes);
        long left = image.WorkTotal - image.WorkDone;
        TimeSpan? time = left == 0 ? TimeSpan.Zero : rate < 1 ? null : TimeSpan.FromSeconds(Math.Min(left / rate, 1e9));
        string spinner = unicode ? "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"[_frame % 10].ToString() : "|/-\\"[_frame % 4].ToString();
        string facts = Facts(image.Fraction, image.WorkDone, image.WorkTotal, rate, time, wide);
        string stage = wide && image.Stage != ImageStage.Converting ? $"  [grey]{StageText.Word(image.Stage)}[/]" : "";
        return $" [blue]{spinner}[/] {Safe(Quantity.Shortened(image.Label, name).PadRight(name))} {Bar(image.Fraction, bar, "blue")} {facts}{stage}";
    }

    private string TotalLine(in ProgressTotals totals, int name, int bar, bool wide) =>
        $"   [bold]{"Total".PadRight(name)}[/] {Bar(totals.Fraction, bar, "green")} " +
        Facts(totals.Fraction, totals.WorkDone, totals.WorkTotal, totals.Rate, totals.Left, wide);

    private static string CountsLine(ProgressBoard board, bool wide)
    {
        ProgressTotals totals = board.Totals();
        string failed = totals.Failed > 0 ? $", [red]{totals.Failed} failed[/]" : "";
        string skipped = totals.Skipped > 0 ? $", {totals.Skipped} skipped" : "";
        return $"   [grey]{totals.Done} of {Quantity.Count(totals.Images, "image")} done{skipped}{failed}, " +
            $"{Quantity.Duration(board.Elapsed)} so far{(wide ? $"; {Safe(board.StopHint)}" : "")}[/]";
    }

    private static string Facts(double fraction, long done, long total, double rate, TimeSpan? left, bool wide)
    {
        string percent = $"{Math.Floor(fraction * 100):0}%".PadLeft(4);
        string time = Quantity.Clock(left).PadLeft(8);
        return wide
            ? $"{percent}  {$"{Quantity.Bytes(done)} of {Quantity.Bytes(total)}",-22}  {Quantity.Rate(rate),12}  {time}"
            : $"{percent}  {time}";
    }

    private string Bar(double fraction, int width, string color)
    {
        int full = (int)Math.Round(Math.Clamp(fraction, 0, 1) * width);
        return unicode
            ? $"[{color}]{new string('━', full)}[/][grey35]{new string('━', width - full)}[/]"
            : $"[{color}]{new string('#', full)}[/][grey35]{new string('-', width - full)}[/]";
    }

    private void ForgetEnded(ImageProgress[] running)
    {
        foreach (ImageProgress ended in _meters.Keys.Except(running).ToArray())
        {
            _meters.Remove(ended);
        }
    }

    private static string Safe(string text) => Markup.Escape(ErrorText.OneLine(text));
}
