using System.Collections.Immutable;

namespace ImageCluster.Jobs.Images;

/// <summary>
/// How far the filling of a target has come; a base that a commit writes to, or an image that is rebased, is filled in the same way.
/// </summary>
public sealed record FillState
{
    /// <summary>The job that does it; it goes on under a later lease of its own.</summary>
    public required string Holder { get; init; }

    /// <summary>What it is filled for. Only a target is no image until it is finished.</summary>
    public required UsePurpose Purpose { get; init; }

    public required FillLayout Layout { get; init; }

    /// <summary>No room that was ever handed out reaches beyond this host offset; it never falls.</summary>
    public required long HighWater { get; init; }

    /// <summary>By assignment.</summary>
    public ImmutableSortedDictionary<long, OpenRoom> Open { get; init; } = ImmutableSortedDictionary<long, OpenRoom>.Empty;

    /// <summary>Assignments whose room was closed: they never get room again.</summary>
    public RangeSet Closed { get; init; } = RangeSet.Empty;

    /// <summary>What came back, by host offset.</summary>
    public ImmutableSortedDictionary<long, FreeRoom> Free { get; init; } = ImmutableSortedDictionary<long, FreeRoom>.Empty;

    public RangeSet Published { get; init; } = RangeSet.Empty;

    public bool AllPublished => Published.Count == Layout.Shards;
}
