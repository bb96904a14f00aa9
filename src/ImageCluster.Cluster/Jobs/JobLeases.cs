using System.Collections.Immutable;
using ImageCluster.Jobs;
using ImageCluster.Jobs.Execution;

namespace ImageCluster.Cluster.Jobs;

/// <summary>The leases that a job's actor knows to hold since it started. Its record has their tokens; how long they last only their images know.</summary>
internal sealed class JobLeases(TimeSpan duration)
{
    // Without images to hold nothing but the worker's own deadline counts.
    private static readonly TimeSpan NoImages = TimeSpan.FromDays(1);

    private ImmutableDictionary<ImageName, HeldLease> _held = ImmutableDictionary<ImageName, HeldLease>.Empty;

    public IEnumerable<JobUse> Uses => _held.Values.Select(lease => lease.Use);

    /// <summary>True where all that the record notes are known to hold.</summary>
    public bool Has(JobState state) => state.Uses.All(use => _held.TryGetValue(use.Image, out HeldLease? held) && held.Use == use);

    /// <summary>Until when work on the images may go on. What is removed behind a failed job is the job's own and needs no lease.</summary>
    public Instant UsableUntil(JobState state, Instant now) => state.Uses.IsEmpty || state.End is not null
        ? now + NoImages
        : state.Uses.Min(use => _held.TryGetValue(use.Image, out HeldLease? held) ? held.Until : default);

    /// <summary>Those to renew now. A renewal is stored by the image only where less than half of the lease is left.</summary>
    public IReadOnlyList<JobUse> Due(Instant now) => [.. _held.Values.Where(lease => lease.Until - now < duration * 0.45).Select(lease => lease.Use)];

    public void Set(IEnumerable<HeldLease> leases) => _held = leases.ToImmutableDictionary(lease => lease.Use.Image);

    public void Renewed(IEnumerable<HeldLease> leases)
    {
        foreach (HeldLease lease in leases.Where(lease => _held.TryGetValue(lease.Use.Image, out HeldLease? known) && known.Use == lease.Use))
        {
            _held = _held.SetItem(lease.Use.Image, lease);
        }
    }
}
