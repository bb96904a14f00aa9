using System.Collections.Immutable;
using ImageCluster.Imaging.Formats.Filling;

namespace ImageCluster.Jobs.Images;

/// <summary>Something that happened to an image. Stored by the event codec; never changed once it is.</summary>
public abstract record ImageEvent;

public sealed record ImageNamed(ImageName Name) : ImageEvent;

public sealed record LeaseGranted(long Token, string Holder, UsePurpose Purpose, string Detail, Instant At, TimeSpan Duration) : ImageEvent;

public sealed record LeaseRenewed(long Token, Instant At) : ImageEvent;

public sealed record LeaseReleased(long Token, Instant At) : ImageEvent;

public sealed record LeaseExpired(long Token, Instant At) : ImageEvent;

public sealed record LeaseRevoked(long Token, string By, string Reason, Instant At) : ImageEvent;

public sealed record LeasesRestarted(Instant At) : ImageEvent;

public sealed record DependentAdded(ImageName Overlay) : ImageEvent;

public sealed record DependentRemoved(ImageName Overlay) : ImageEvent
{
    /// <inheritdoc cref="RemoveDependent.Reason"/>
    public string Reason { get; init; } = "";
}

public sealed record FillStarted(long Token, FillLayout Layout) : ImageEvent;

public sealed record RoomGranted(long Assignment, RoomGrant Room) : ImageEvent;

/// <summary>Shards were taken in, with the room that they occupy (the tables' offsets are in the job's own events).</summary>
public sealed record ShardsPublished(long Assignment, ImmutableList<PublishedShard> Shards) : ImageEvent;

/// <summary>A shard and the ranges of the file that it occupies, in host order.</summary>
public sealed record PublishedShard(long Shard, ImmutableList<RoomExtent> Rooms);

/// <param name="QuietFrom">Was never set, and is not looked at: room is closed when nobody writes to it any more.</param>
public sealed record RoomClosed(long Assignment, ImmutableSortedDictionary<int, long> CleanFrom, Instant? QuietFrom) : ImageEvent;

public sealed record TargetFinished(string Digest, Instant At) : ImageEvent;

public sealed record FillAbandoned(Instant At) : ImageEvent;

public sealed record ChangeEnded(long Token, bool Succeeded, string Message, Instant At) : ImageEvent;
