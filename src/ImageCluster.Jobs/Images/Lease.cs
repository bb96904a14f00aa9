namespace ImageCluster.Jobs.Images;

/// <summary>A use of an image by somebody for a time.</summary>
public sealed record Lease
{
    /// <summary>Fencing token: of two leases on one image the later has the higher.</summary>
    public required long Token { get; init; }

    /// <summary>Who holds it: a job's id, or who ran a single command.</summary>
    public required string Holder { get; init; }

    public required UsePurpose Purpose { get; init; }

    /// <summary>What exactly is done, for people: the arguments of a whole-image change. May be empty.</summary>
    public string Detail { get; init; } = "";

    public required Instant GrantedAt { get; init; }

    /// <summary>How long it lasts after it is granted or renewed.</summary>
    public required TimeSpan Duration { get; init; }

    /// <summary>From this time on nobody writes or reads by this lease any more, and it can be given to another.</summary>
    public required Instant Deadline { get; init; }

    /// <summary>Why it will not be renewed; null where it will be.</summary>
    public string? Revoked { get; init; }

    public bool IsExclusive => UseRule.IsExclusive(Purpose);
}
