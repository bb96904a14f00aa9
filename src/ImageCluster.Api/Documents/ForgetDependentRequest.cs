namespace ImageCluster.Api.Documents;

/// <summary>Says that an overlay does not stand on an image any more.</summary>
public sealed record ForgetDependentRequest
{
    /// <summary><c>root:path</c>, as <see cref="ImageDocument.Dependents"/> has it.</summary>
    public required string Dependent { get; init; }

    /// <summary>Why; it is stored.</summary>
    public required string Reason { get; init; }

    /// <summary>Who asks for it; for people.</summary>
    public string? By { get; init; }
}
