namespace ImageCluster.Imaging.Operations;

/// <summary>The requests of a <see cref="Bench"/>.</summary>
public sealed record BenchPlan
{
    public bool Writes { get; init; }

    public int Count { get; init; } = 75000;

    /// <summary>Requests under way at once, 1 or more.</summary>
    public int Depth { get; init; } = 64;

    /// <summary>Guest offset of the first request in bytes.</summary>
    public long Offset { get; init; }

    /// <summary>Bytes of a request.</summary>
    public int Length { get; init; } = 4096;

    /// <summary>Bytes from the start of a request to that of the next; at the disk's end they begin anew.</summary>
    public long Step { get; init; } = 4096;

    /// <summary>The byte that is written.</summary>
    public byte Pattern { get; init; }

    /// <summary>A flush after so many writes, 0 for none.</summary>
    public int FlushInterval { get; init; }

    /// <summary>Wait for the writes under way before a flush.</summary>
    public bool Drains { get; init; } = true;
}
