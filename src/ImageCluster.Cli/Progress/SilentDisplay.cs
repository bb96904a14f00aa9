namespace ImageCluster.Cli.Progress;

/// <summary>Shows nothing while the migration runs.</summary>
internal sealed class SilentDisplay : IProgressDisplay
{
    public void Follow(ProgressBoard board, Task work) => PlainDisplay.Ended(work, Timeout.InfiniteTimeSpan);
}
