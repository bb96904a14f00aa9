namespace ImageCluster.Api.Operating;

/// <summary>A call of an operator's command over HTTP.</summary>
public sealed record OperatorRequest
{
    /// <summary>The first word.</summary>
    public required string Palette { get; init; }

    /// <summary>The second word.</summary>
    public required string Command { get; init; }

    /// <summary>Values by names or switches of the command's arguments.</summary>
    public IReadOnlyDictionary<string, string> Arguments { get; init; } = new Dictionary<string, string>();

    /// <summary>Who calls; for people.</summary>
    public string? By { get; init; }
}
