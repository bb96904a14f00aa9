using System.Collections.Immutable;

namespace ImageCluster.Jobs.Images;

/// <summary>What is known of one image: the sum of its events.</summary>
public sealed record ImageState
{
    public static ImageState New { get; } = new();

    /// <summary>Null until the first event.</summary>
    public ImageName? Name { get; init; }

    /// <summary>The highest fencing token ever granted; 0 for none.</summary>
    public long LastToken { get; init; }

    /// <summary>By token. One exclusive one, or any number of others.</summary>
    public ImmutableSortedDictionary<long, Lease> Leases { get; init; } = ImmutableSortedDictionary<long, Lease>.Empty;

    /// <summary>Overlays that are known to stand on this image.</summary>
    public ImmutableSortedSet<ImageName> Dependents { get; init; } = [];

    /// <summary>The filling that is under way or was interrupted; null where there is none.</summary>
    public FillState? Fill { get; init; }

    /// <summary>Set when shards were written to their end, until the next change of what the image holds.</summary>
    public FinishedTarget? Finished { get; init; }

    /// <summary>The whole-image change that ended last.</summary>
    public ImageChange? LastChange { get; init; }

    /// <summary>The lease of the one who modifies the image, or null.</summary>
    public Lease? Modifier => Leases.Values.FirstOrDefault(lease => lease.IsExclusive);

    /// <summary>True where nothing hangs on the record being in memory.</summary>
    public bool IsIdle => Leases.IsEmpty;

    /// <summary>The earliest deadline of a lease, at which <see cref="ExpireUses"/> has something to do; null where there is none.</summary>
    public Instant? NextDeadline => Leases.IsEmpty ? null : Leases.Values.Min(lease => lease.Deadline);
}
