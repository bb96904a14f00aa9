using System.Collections.Immutable;

namespace ImageCluster.Jobs.Images;

/// <summary>The room of an assignment that is at work, and how much of it has been published.</summary>
/// <param name="Grants">By the number of the request.</param>
/// <param name="Granted">Bytes of all grants together.</param>
/// <param name="Used">Bytes of it that published shards occupy.</param>
public sealed record OpenRoom(ImmutableSortedDictionary<int, RoomGrant> Grants, RangeSet Granted, RangeSet Used)
{
    public static OpenRoom Empty { get; } = new(ImmutableSortedDictionary<int, RoomGrant>.Empty, RangeSet.Empty, RangeSet.Empty);
}
