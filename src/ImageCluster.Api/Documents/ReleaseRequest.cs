namespace ImageCluster.Api.Documents;

/// <summary>Takes a lease away.</summary>
public sealed record ReleaseRequest
{
    /// <summary>Names the lease: <see cref="ImageUseDocument.Token"/>.</summary>
    public required long Token { get; init; }

    /// <summary>Why; it is stored and shown.</summary>
    public required string Reason { get; init; }

    /// <summary>Who asks for it; for people.</summary>
    public string? By { get; init; }
}
