namespace ImageCluster.Imaging.Storage.Nbd;

/// <summary>How patient and how greedy the client is.</summary>
public sealed record NbdSettings
{
    public static readonly NbdSettings Default = new();

    /// <summary>For the whole of connecting and negotiating.</summary>
    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How long a server may keep requests waiting without getting on with any of them.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>The same for a flush: gigabytes may have to reach a slow disk first.</summary>
    public TimeSpan FlushTimeout { get; init; } = TimeSpan.FromMinutes(20);

    /// <summary>Connections at the most, where the server says that several see the same data.</summary>
    public int MaxConnections { get; init; } = 4;

    /// <summary>How often a read is asked again on a new connection after the old one broke. Writes never are: what the server had not flushed may be lost.</summary>
    public int ReadRetries { get; init; } = 3;

    /// <summary>Before the first retry; doubled before each further one.</summary>
    public TimeSpan RetryDelay { get; init; } = TimeSpan.FromMilliseconds(200);

    /// <summary>Requests under way for one long read or write, or ahead of one sequential reader.</summary>
    public int Depth { get; init; } = 8;
}
