using System.Collections.Immutable;
using Google.Protobuf;
using ImageCluster.Imaging.Formats.Filling;
using ImageCluster.Imaging.Operations;
using ImageCluster.Jobs.Images;
using P = ImageCluster.Jobs.Contracts.V1;

namespace ImageCluster.Jobs.Contracts;

/// <summary>Values that events and commands of images share with others, to messages and back.</summary>
internal static class ValueMapping
{
    public static P.ImageName ToMessage(ImageName name) => new() { Root = name.Root, Path = name.Path };

    public static ImageName ToDomain(P.ImageName? name) =>
        name is null ? throw new ArgumentException("an image's name is missing") : new ImageName(name.Root, name.Path);

    /// <summary>An image that need not be there.</summary>
    public static P.ImageName? ToOptional(ImageName? name) => name is null ? null : ToMessage(name);

    public static ImageName? FromOptional(P.ImageName? name) => name is null ? null : ToDomain(name);

    public static ImmutableList<ImageName> ToDomain(IEnumerable<P.ImageName> names) => [.. names.Select(ToDomain)];

    public static Instant ToInstant(long at) => new(at);

    public static long Milliseconds(TimeSpan duration) => (long)duration.TotalMilliseconds;

    public static TimeSpan ToDuration(long milliseconds) => milliseconds is > 0 and < long.MaxValue / TimeSpan.TicksPerMillisecond
        ? TimeSpan.FromMilliseconds(milliseconds)
        : throw new ArgumentException($"{milliseconds} is no duration");

    /// <summary>A number of an enumeration; one that this program does not know was written by a newer version.</summary>
    public static T ToEnum<T>(int value)
        where T : struct, Enum =>
        Enum.IsDefined(typeof(T), value) ? (T)Enum.ToObject(typeof(T), value) : throw new ArgumentException($"{value} is no known {typeof(T).Name}");

    public static long ToLong(ulong value) => checked((long)value);

    public static P.RangeSet ToMessage(RangeSet set)
    {
        var message = new P.RangeSet();
        long end = 0;
        foreach (Range64 range in set)
        {
            message.GapsAndLengths.Add((ulong)(range.Start - end));
            message.GapsAndLengths.Add((ulong)range.Length);
            end = range.End;
        }

        return message;
    }

    public static RangeSet ToDomain(P.RangeSet? message)
    {
        RangeSet set = RangeSet.Empty;
        long end = 0;
        for (int i = 0; i + 1 < message?.GapsAndLengths.Count; i += 2)
        {
            long start = checked(end + ToLong(message.GapsAndLengths[i]));
            end = checked(start + ToLong(message.GapsAndLengths[i + 1]));
            set = set.Add(start, end);
        }

        return set;
    }

    public static P.RoomExtent ToMessage(RoomExtent room) =>
        new() { Start = (ulong)room.Start, Length = (ulong)room.Length, MoreReferences = (uint)(room.References - 1) };

    public static RoomExtent ToDomain(P.RoomExtent room) =>
        new(ToLong(room.Start), ToLong(room.Length), checked((int)room.MoreReferences + 1));

    public static P.ShardManifest ToMessage(ShardManifest manifest) => new()
    {
        Tables = { manifest.Tables.Select(table => (ulong)table) },
        Rooms = { manifest.Rooms.Select(ToMessage) },
        DataBytes = (ulong)manifest.DataBytes,
    };

    public static ShardManifest ToDomain(P.ShardManifest? manifest, long shard) => manifest is null
        ? throw new ArgumentException($"the manifest of shard {shard} is missing")
        : new ShardManifest(shard, [.. manifest.Tables.Select(ToLong)], [.. manifest.Rooms.Select(ToDomain)], ToLong(manifest.DataBytes));

    public static P.DigestPart ToMessage(GuestDigestPart part) =>
        new() { Leaf = (ulong)part.Leaf, Level = (uint)part.Level, Hash = ByteString.CopyFrom(part.Hash.ToArray()) };

    public static GuestDigestPart ToDomain(P.DigestPart part) =>
        new(ToLong(part.Leaf), checked((int)part.Level), new GuestHash(part.Hash.Span));

    public static P.FillLayout ToMessage(FillLayout layout)
    {
        var message = new P.FillLayout { Shards = (ulong)layout.Shards, RoomAlignment = (ulong)layout.RoomAlignment, RoomEnd = (ulong)layout.RoomEnd };
        if (layout.HandsOutRoom)
        {
            message.RoomStart = (ulong)layout.RoomStart;
        }

        return message;
    }

    public static FillLayout ToDomain(P.FillLayout? layout) => layout is null ? throw new ArgumentException("a layout is missing") : new FillLayout
    {
        Shards = ToLong(layout.Shards),
        RoomStart = layout.HasRoomStart ? ToLong(layout.RoomStart) : -1,
        RoomAlignment = ToLong(layout.RoomAlignment),
        RoomEnd = ToLong(layout.RoomEnd),
    };

    public static P.RoomGrant ToMessage(RoomGrant room) =>
        new() { Request = (uint)room.Request, Start = (ulong)room.Start, Length = (ulong)room.Length, Dirty = room.Dirty };

    public static RoomGrant ToDomain(P.RoomGrant? room) => room is null
        ? throw new ArgumentException("a room is missing")
        : new RoomGrant(checked((int)room.Request), ToLong(room.Start), ToLong(room.Length), room.Dirty);

    public static P.PublishedShard ToMessage(PublishedShard shard) => new() { Shard = (ulong)shard.Shard, Rooms = { shard.Rooms.Select(ToMessage) } };

    public static PublishedShard ToDomain(P.PublishedShard shard) => new(ToLong(shard.Shard), [.. shard.Rooms.Select(ToDomain)]);

    public static ImmutableSortedDictionary<int, long> ToCleanFrom(IEnumerable<KeyValuePair<int, ulong>> cleanFrom) =>
        cleanFrom.ToImmutableSortedDictionary(pair => pair.Key, pair => ToLong(pair.Value));

    public static P.Refusal ToMessage(Refusal refusal) => new() { Kind = (int)refusal.Kind, Message = refusal.Message };

    public static Refusal ToDomain(P.Refusal refusal) => new(ToEnum<RefusalKind>(refusal.Kind), refusal.Message);
}
