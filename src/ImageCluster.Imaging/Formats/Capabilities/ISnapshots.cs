namespace ImageCluster.Imaging.Formats.Capabilities;

/// <summary>A layer that holds internal snapshots.</summary>
public interface ISnapshots
{
    /// <summary>In the order of the image's table.</summary>
    IReadOnlyList<ImageSnapshot> ListSnapshots();

    /// <summary>
    /// The image as the snapshot of that id (one that <see cref="ListSnapshots"/> gave) has it, for reading. It lives as long as this layer,
    /// and disposing of it does nothing.
    /// </summary>
    IImageLayer OpenSnapshot(string id);
}

/// <summary>An internal snapshot as <c>info</c> and <c>snapshot -l</c> show it.</summary>
public sealed record ImageSnapshot
{
    public required string Id { get; init; }

    public required string Name { get; init; }

    /// <summary>Bytes of saved machine state, 0 for a disk-only snapshot.</summary>
    public ulong VmStateSize { get; init; }

    /// <summary>When it was taken: seconds since 1970 (UTC), and nanoseconds.</summary>
    public long DateSeconds { get; init; }

    public int DateNanoseconds { get; init; }

    /// <summary>How long the guest had run, in nanoseconds.</summary>
    public ulong VmClockNanoseconds { get; init; }

    /// <summary>Instructions that the guest had run; null where that is not known.</summary>
    public ulong? InstructionCount { get; init; }

    /// <summary>Size of the guest's disk when it was taken, in bytes.</summary>
    public long DiskSize { get; init; }
}
