namespace ImageCluster.Cli.Progress;

/// <summary>Where an image is on its way.</summary>
internal enum ImageStage
{
    Waiting,
    Converting,
    Verifying,

    /// <summary>Flushed and given its final name.</summary>
    Publishing,

    Done,

    /// <summary>Left out as it should be: done in an earlier run, or the target is there.</summary>
    Skipped,

    Failed,

    /// <summary>Stopped with the migration; the next run goes on.</summary>
    Interrupted,
}
