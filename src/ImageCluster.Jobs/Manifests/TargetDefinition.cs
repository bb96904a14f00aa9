namespace ImageCluster.Jobs.Manifests;

/// <summary>Where the targets go and what they become.</summary>
public sealed record TargetDefinition
{
    public required RootReference Root { get; init; }

    /// <summary>The target's path in the root, by tokens of its source.</summary>
    public TargetPattern Name { get; init; } = TargetPattern.Default;

    /// <summary>Format name as qemu-img says it.</summary>
    public required string Format { get; init; }

    /// <summary>Create options by name, as for <c>-o</c>.</summary>
    public IReadOnlyDictionary<string, string> Options { get; init; } = new SortedDictionary<string, string>(StringComparer.Ordinal);

    /// <summary>The name of the secret with the password of targets that are encrypted; null for none.</summary>
    public string? Secret { get; init; }

    /// <summary>Payload is compressed (<c>-c</c>).</summary>
    public bool Compress { get; init; }

    public BackingChain Backing { get; init; }

    public ExistingTarget Existing { get; init; }
}
