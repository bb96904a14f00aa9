namespace ImageCluster.Jobs.Images;

/// <summary>What the image's record must know of a target to hand out room and take shards in. Sizes and offsets in bytes.</summary>
public sealed record FillLayout
{
    /// <summary>Shards of the whole target, 1 or more.</summary>
    public required long Shards { get; init; }

    /// <summary>
    /// Where in the file room begins, behind what stands there when the target is created; -1 for a target in which each guest byte has
    /// its place (raw, fixed), so that no room is handed out.
    /// </summary>
    public required long RoomStart { get; init; }

    /// <summary>Room starts at multiples of this, a power of two.</summary>
    public long RoomAlignment { get; init; } = 1;

    /// <summary>No room is handed out beyond this offset (the format's or the file system's limit).</summary>
    public long RoomEnd { get; init; } = long.MaxValue;

    public bool HandsOutRoom => RoomStart >= 0;

    /// <summary>What is wrong with it, or null.</summary>
    public string? Problem =>
        Shards <= 0 ? "a target has at least one shard"
        : RoomAlignment <= 0 || (RoomAlignment & (RoomAlignment - 1)) != 0 ? $"{RoomAlignment} is no power of two to align room to"
        : RoomStart < -1 || RoomEnd < RoomStart ? "the room ends before it starts"
        : null;
}
