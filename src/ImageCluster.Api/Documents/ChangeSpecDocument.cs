namespace ImageCluster.Api.Documents;

/// <summary>Changes one image as a whole: what qemu-img's create, resize, amend, snapshot and check -r do.</summary>
public sealed record ChangeSpecDocument : JobSpecDocument
{
    public const string Operation = "change";

    public required string Image { get; init; }

    public string? Format { get; init; }

    /// <summary>create, resize, amend, snapshotCreate, snapshotDelete, snapshotApply or repair.</summary>
    public required string Change { get; init; }

    /// <summary>Create and resize: bytes of the guest's disk.</summary>
    public long? Size { get; init; }

    /// <summary>A snapshot's name, or (apply, delete) its id.</summary>
    public string? Snapshot { get; init; }

    /// <summary>Create and amend: options by name.</summary>
    public IReadOnlyDictionary<string, string>? Options { get; init; }

    /// <summary>What a new image stands on; null for nothing.</summary>
    public string? Backing { get; init; }

    public string? BackingFormat { get; init; }

    /// <summary>
    /// Create: in the place of an image that is there. Resize: the disk may become smaller. Amend: also what may lose access to the data.
    /// Repair: errors too, not only leaks.
    /// </summary>
    public bool Force { get; init; }
}
