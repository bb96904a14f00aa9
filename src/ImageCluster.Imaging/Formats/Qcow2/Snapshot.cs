namespace ImageCluster.Imaging.Formats.Qcow2;

/// <summary>An entry of the snapshot table.</summary>
internal sealed record Snapshot
{
    public required string Id { get; init; }

    public required string Name { get; init; }

    /// <summary>Id and name as they stand in the file, in whatever encoding, to be kept when the table is written anew; null for a new snapshot.</summary>
    public byte[]? IdBytes { get; init; }

    public byte[]? NameBytes { get; init; }

    /// <summary>Host offset in bytes of the snapshot's L1 table.</summary>
    public long L1Offset { get; init; }

    public uint L1Entries { get; init; }

    /// <summary>When it was taken: seconds since 1970 (UTC) and nanoseconds.</summary>
    public uint DateSeconds { get; init; }

    public uint DateNanoseconds { get; init; }

    /// <summary>How long the guest had run, in nanoseconds.</summary>
    public ulong VmClockNanoseconds { get; init; }

    /// <summary>Bytes of saved machine state, 0 for a disk-only snapshot.</summary>
    public ulong VmStateSize { get; init; }

    /// <summary>Size of the guest's disk when it was taken, in bytes.</summary>
    public long DiskSize { get; init; }

    /// <summary>Instructions that the guest had run; all ones where that is not known.</summary>
    public ulong InstructionCount { get; init; } = ulong.MaxValue;

    /// <summary>Bytes of the entry's extra data in the file.</summary>
    public int ExtraDataLength { get; init; }

    /// <summary>Extra data behind the fields that this engine knows; kept.</summary>
    public byte[] UnknownExtraData { get; init; } = [];
}
