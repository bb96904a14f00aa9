using System.Collections.Immutable;

namespace ImageCluster.Jobs.Images;

/// <summary>The room of an assignment that is at work, and how much of it has been published.</summary>
/// <param name="Grants">In the order granted.</param>
/// <param name="Used">Bytes of it that published shards occupy.</param>
public sealed record OpenRoom(ImmutableList<RoomGrant> Grants, RangeSet Used)
{
    public static OpenRoom Empty { get; } = new([], RangeSet.Empty);

    /// <summary>True where the range lies in one of the grants, or in several that follow each other without a gap.</summary>
    public bool Holds(long start, long end) =>
        Grants.Aggregate(RangeSet.Empty, (set, grant) => set.Add(grant.Start, grant.End)).Contains(start, end);
}
