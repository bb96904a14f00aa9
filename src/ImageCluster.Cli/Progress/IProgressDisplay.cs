namespace ImageCluster.Cli.Progress;

/// <summary>One way to show a migration while it runs.</summary>
internal interface IProgressDisplay
{
    /// <summary>Shows the board until <paramref name="work"/> has ended, and returns then; failures of the work are not its business.</summary>
    void Follow(ProgressBoard board, Task work);
}
