namespace ImageCluster.Api.Documents;

/// <summary>Why a request was refused, as RFC 9457 has it (<c>application/problem+json</c>).</summary>
public sealed record ProblemDocument
{
    public const string ContentType = "application/problem+json";

    /// <summary><c>urn:imagecluster:refusal:</c> and the reason.</summary>
    public string? Type { get; init; }

    public string? Title { get; init; }

    public int Status { get; init; }

    /// <summary>One line for people.</summary>
    public string? Detail { get; init; }

    /// <summary>The reason (<see cref="RefusalReason"/>), for programs.</summary>
    public string? Reason { get; init; }

    /// <summary>Everything that is wrong, a line each, where there is more than one thing.</summary>
    public IReadOnlyList<string>? Errors { get; init; }
}
