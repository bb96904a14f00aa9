using ImageCluster.Work;

namespace ImageCluster.Cli.Progress;

/// <summary>The state of a running migration, for the displays. Thread-safe.</summary>
internal sealed class ProgressBoard(string migration, TimeProvider time)
{
    private readonly Lock _lock = new();
    private readonly long _started = time.GetTimestamp();
    private readonly RateMeter _meter = new();
    private List<ImageProgress> _images = [];

    /// <summary>Called, one at a time, whenever an image enters another stage.</summary>
    public event Action<ImageProgress>? StageChanged;

    /// <summary>Called, one at a time, with a line for the user: something worth knowing that is no failure.</summary>
    public event Action<string>? Noted;

    public string Migration { get; } = migration;

    public TimeProvider Time => time;

    /// <summary>What a display says of stopping it.</summary>
    public string StopHint { get; init; } = "Ctrl-C stops, the same command goes on";

    public TimeSpan Elapsed => time.GetElapsedTime(_started);

    /// <summary>In the order in which they are started.</summary>
    public IReadOnlyList<ImageProgress> Images => Volatile.Read(ref _images);

    public void Show(IEnumerable<ImageProgress> images) => Volatile.Write(ref _images, [.. images]);

    public void Enter(ImageProgress image, ImageStage stage, string? reason = null)
    {
        lock (_lock)
        {
            if (image.Stage == stage)
            {
                return;
            }

            image.Enter(stage, reason is null ? null : ErrorText.OneLine(reason), time);
            StageChanged?.Invoke(image);
        }
    }

    public void Note(string line)
    {
        lock (_lock)
        {
            Noted?.Invoke(ErrorText.OneLine(line));
        }
    }

    /// <summary>The totals now. To be called a few times a second at most: the rate is that of the last calls.</summary>
    public ProgressTotals Totals()
    {
        IReadOnlyList<ImageProgress> images = Images;
        double done = 0;
        double total = 0;
        long transferred = 0;
        foreach (ImageProgress image in images)
        {
            // An image that failed leaves nothing to wait for.
            bool over = image.Stage is ImageStage.Failed or ImageStage.Interrupted;
            done += image.WorkDone;
            total += over ? image.WorkDone : image.WorkTotal;
            transferred += image.ConvertedBytes + image.VerifiedBytes;
        }

        lock (_lock)
        {
            double rate = _meter.Add(Elapsed.TotalSeconds, transferred);
            double left = total - done;
            return new ProgressTotals(
                Images: images.Count,
                Done: images.Count(image => image.Stage == ImageStage.Done),
                Skipped: images.Count(image => image.Stage == ImageStage.Skipped),
                Failed: images.Count(image => image.Stage == ImageStage.Failed),
                WorkDone: (long)done,
                WorkTotal: (long)total,
                TransferredBytes: transferred,
                Rate: rate,
                Left: left <= 0 ? TimeSpan.Zero : rate < 1 ? null : TimeSpan.FromSeconds(Math.Min(left / rate, 1e9)));
        }
    }
}

/// <summary>A migration's totals at one moment. Sizes in bytes; work counts data once for converting and once for verifying.</summary>
internal readonly record struct ProgressTotals(
    int Images, int Done, int Skipped, int Failed, long WorkDone, long WorkTotal, long TransferredBytes, double Rate, TimeSpan? Left)
{
    public double Fraction => WorkTotal == 0 ? (Done + Skipped + Failed == Images ? 1 : 0) : Math.Min(1, (double)WorkDone / WorkTotal);
}
