namespace ImageCluster.Cli.Progress;

/// <summary>Shows nothing while the migration runs.</summary>
internal sealed class SilentDisplay : IProgressDisplay
{
    public Task Follow(ProgressBoard board, Func<Task> start)
    {
        Task work = start();
        PlainDisplay.Ended(work, Timeout.InfiniteTimeSpan);
        return work;
    }
}
