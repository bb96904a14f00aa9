namespace ImageCluster.Cli.Progress;

/// <summary>One way to show a migration while it runs.</summary>
internal interface IProgressDisplay
{
    /// <summary>Starts the work, shows the board until it has ended, and returns it; failures of the work are not the display's business.</summary>
    Task Follow(ProgressBoard board, Func<Task> start);
}
