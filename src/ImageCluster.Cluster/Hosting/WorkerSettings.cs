namespace ImageCluster.Cluster.Hosting;

/// <summary>How one node works.</summary>
public sealed record WorkerSettings
{
    /// <summary>Directories by the names of the roots that they are; absolute paths.</summary>
    public required IReadOnlyDictionary<string, string> Roots { get; init; }

    /// <summary>Tasks at a time, each with a thread of its own; 1 or more.</summary>
    public int Slots { get; init; } = Math.Max(1, Environment.ProcessorCount);

    /// <summary>How often assignments are renewed, reports repeated that nobody answered, and free slots mentioned again.</summary>
    public TimeSpan Heartbeat { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>An answer that has not come after so long is not waited for any more.</summary>
    public TimeSpan AskTimeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>A worker that is told to stop waits so long for its jobs to take back what it has.</summary>
    public TimeSpan StopTimeout { get; init; } = TimeSpan.FromSeconds(20);
}
