namespace ImageCluster.Imaging.Storage.Nbd;

/// <summary>What was agreed on an export. Units: bytes.</summary>
internal sealed record NbdExport
{
    public required long Size { get; init; }

    public required NbdExportFlags Flags { get; init; }

    /// <summary>Every offset and length is a multiple of it; a power of two.</summary>
    public int MinimumBlock { get; init; } = 1;

    /// <summary>The longest payload of a request; a multiple of <see cref="MinimumBlock"/>.</summary>
    public int MaximumPayload { get; init; } = NbdWire.MaxPayload;

    public bool StructuredReplies { get; init; }

    /// <summary>The number of the base:allocation context; null where the server has none.</summary>
    public uint? AllocationContext { get; init; }

    public bool Has(NbdExportFlags flag) => (Flags & flag) != 0;
}
