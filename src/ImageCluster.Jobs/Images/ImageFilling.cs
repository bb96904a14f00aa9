using System.Collections.Immutable;
using ImageCluster.Imaging.Formats.Filling;

namespace ImageCluster.Jobs.Images;

/// <summary>The part of <see cref="ImageRecord"/> that is about filling a target: room, shards, the end.</summary>
internal static class ImageFilling
{
    public static Decision<ImageEvent> Decide(ImageState state, ImageCommand command) => command switch
    {
        StartFill start => Start(state, start),
        GrantRoom grant => Grant(state, grant),
        PublishShards publish => Publish(state, publish),
        CloseRoom close => Close(state, close),
        FinishTarget finish => Finish(state, finish),
        AbandonFill abandon => Abandon(state, abandon),
        _ => throw new ArgumentOutOfRangeException(nameof(command), command.GetType().Name, "Not a command of an image."),
    };

    public static ImageState Apply(ImageState state, ImageEvent e)
    {
        FillState? fill = state.Fill;
        return e switch
        {
            FillStarted started => state with
            {
                Fill = new FillState
                {
                    Holder = state.Leases[started.Token].Holder,
                    Purpose = state.Leases[started.Token].Purpose,
                    Layout = started.Layout,
                    HighWater = Math.Max(0, started.Layout.RoomStart),
                },
            },
            RoomGranted granted => state with { Fill = Granted(fill!, granted) },
            ShardsPublished published => state with { Fill = Published(fill!, published) },
            RoomClosed closed => state with { Fill = Closed(fill!, closed) },
            TargetFinished finished => state with
            {
                Fill = null,
                Finished = new FinishedTarget(fill!.Holder, fill.Purpose, DigestAfter(state, fill.Purpose, finished.Digest), finished.At),
            },
            FillAbandoned => state with { Fill = null },
            _ => throw new ArgumentOutOfRangeException(nameof(e), e.GetType().Name, "Not an event of an image."),
        };
    }

    /// <summary>Why the fill's lease must not be given back yet, or null.</summary>
    public static Refusal? NotQuiet(ImageState state)
    {
        return state.Fill is { Open.IsEmpty: false } fill
            ? new Refusal(RefusalKind.NotQuiet, $"{state.Name}: assignment {fill.Open.Keys.First()} has not closed its room")
            : null;
    }

    private static Decision<ImageEvent> Start(ImageState state, StartFill start)
    {
        if (Check(state, start.Token, start.At, out Lease? lease) is { } refusal)
        {
            return Refuse(refusal);
        }

        if (lease!.Revoked is not null)
        {
            return ImageRecord.Refuse(RefusalKind.Stale, $"{start.Image}: lease {start.Token} was taken away {lease.Revoked}");
        }

        if (start.Layout.Problem is { } problem)
        {
            return ImageRecord.Refuse(RefusalKind.Invalid, $"{start.Image}: {problem}");
        }

        if (state.Fill is not null)
        {
            return state.Fill.Layout == start.Layout
                ? ImageRecord.Accept([])
                : ImageRecord.Refuse(RefusalKind.Conflict, $"{start.Image}: its filling has begun with another layout");
        }

        return IsFinishedBy(state, lease)
            ? ImageRecord.Refuse(RefusalKind.Conflict, $"{start.Image} is finished")
            : ImageRecord.Accept([new FillStarted(start.Token, start.Layout)]);
    }

    private static Decision<ImageEvent> Grant(ImageState state, GrantRoom grant)
    {
        if (Filling(state, grant.Token, grant.At, out FillState? fill) is { } refusal)
        {
            return Refuse(refusal);
        }

        if (fill!.Closed.Contains(grant.Assignment))
        {
            return ImageRecord.Refuse(RefusalKind.Stale, $"{grant.Image}: assignment {grant.Assignment} has ended; stop writing");
        }

        if (state.Leases[grant.Token].Revoked is { } revoked)
        {
            return ImageRecord.Refuse(RefusalKind.Stale, $"{grant.Image}: lease {grant.Token} was taken away {revoked}");
        }

        if (!fill.Layout.HandsOutRoom || grant.Assignment < 0 || grant.Request < 0 || grant.AtLeast <= 0 || grant.Wanted < grant.AtLeast)
        {
            return ImageRecord.Refuse(RefusalKind.Invalid, $"{grant.Image}: a request for {grant.Wanted} bytes of room ({grant.AtLeast} at least) makes no sense here");
        }

        if (ImageRecord.FindRoom(state, grant.Assignment, grant.Request) is not null)
        {
            return ImageRecord.Accept([]);
        }

        return FindRoom(fill, grant) is { } room
            ? ImageRecord.Accept([new RoomGranted(grant.Assignment, room)])
            : ImageRecord.Refuse(RefusalKind.Conflict, $"{grant.Image}: no room for {grant.Wanted} bytes below offset {fill.Layout.RoomEnd:#,0}");
    }

    // The lowest room that came back and is large enough, else what lies behind the high-water mark.
    private static RoomGrant? FindRoom(FillState fill, GrantRoom grant)
    {
        Int128 wanted = RoundUp(grant.Wanted, fill.Layout.RoomAlignment);
        foreach (FreeRoom free in fill.Free.Values)
        {
            if (free.Length >= grant.AtLeast)
            {
                return new RoomGrant(grant.Request, free.Start, (long)Int128.Min(free.Length, wanted), free.Dirty);
            }
        }

        Int128 start = RoundUp(fill.HighWater, fill.Layout.RoomAlignment);
        return start + wanted <= fill.Layout.RoomEnd ? new RoomGrant(grant.Request, (long)start, (long)wanted, Dirty: false) : null;
    }

    private static Decision<ImageEvent> Publish(ImageState state, PublishShards publish)
    {
        if (Filling(state, publish.Token, publish.At, out FillState? fill) is { } refusal)
        {
            return Refuse(refusal);
        }

        ImmutableList<PublishedShard>.Builder shards = ImmutableList.CreateBuilder<PublishedShard>();
        RangeSet published = fill!.Published;
        OpenRoom open = fill.Open.GetValueOrDefault(publish.Assignment) ?? OpenRoom.Empty;
        RangeSet used = open.Used;
        foreach (ShardManifest manifest in publish.Manifests)
        {
            if (manifest.Shard < 0 || manifest.Shard >= fill.Layout.Shards)
            {
                return ImageRecord.Refuse(RefusalKind.Invalid, $"{publish.Image} has no shard {manifest.Shard}");
            }

            if (published.Contains(manifest.Shard))
            {
                continue;
            }

            foreach (RoomExtent room in manifest.Rooms)
            {
                // Where room is handed out, nothing may stand anywhere else: it would be another shard's, now or later.
                if (room.Length <= 0 || room.Start < 0 || room.Start > long.MaxValue - room.Length ||
                    (fill.Layout.HandsOutRoom && (!open.Granted.Contains(room.Start, room.Start + room.Length) || used.Overlaps(room.Start, room.Start + room.Length))))
                {
                    return fill.Closed.Contains(publish.Assignment)
                        ? ImageRecord.Refuse(RefusalKind.Stale, $"{publish.Image}: assignment {publish.Assignment} has ended")
                        : ImageRecord.Refuse(RefusalKind.Invalid,
                            $"{publish.Image}: shard {manifest.Shard} occupies {room.Length:#,0} bytes at {room.Start:#,0}, which assignment {publish.Assignment} has no room for");
                }

                used = fill.Layout.HandsOutRoom ? used.Add(room.Start, room.Start + room.Length) : used;
            }

            published = published.Add(manifest.Shard);
            shards.Add(new PublishedShard(manifest.Shard, fill.Layout.HandsOutRoom ? [.. manifest.Rooms] : []));
        }

        return ImageRecord.Accept(shards.Count == 0 ? [] : [new ShardsPublished(publish.Assignment, shards.ToImmutable())]);
    }

    private static Decision<ImageEvent> Close(ImageState state, CloseRoom close)
    {
        if (Filling(state, close.Token, close.At, out FillState? fill) is { } refusal)
        {
            return Refuse(refusal);
        }

        // Also for an assignment that asked for no room: from now on it gets none.
        return ImageRecord.Accept(fill!.Closed.Contains(close.Assignment) || close.Assignment < 0
            ? []
            : [new RoomClosed(close.Assignment, close.CleanFrom, null)]);
    }

    private static Decision<ImageEvent> Finish(ImageState state, FinishTarget finish)
    {
        if (Check(state, finish.Token, finish.At, out Lease? lease) is { } refusal)
        {
            return Refuse(refusal);
        }

        if (state.Fill is not { } fill)
        {
            return IsFinishedBy(state, lease!)
                ? ImageRecord.Accept([])
                : ImageRecord.Refuse(RefusalKind.Conflict, $"{finish.Image} is not being filled");
        }

        if (!fill.AllPublished)
        {
            return ImageRecord.Refuse(RefusalKind.Conflict,
                $"{finish.Image}: {fill.Layout.Shards - fill.Published.Count:#,0} of {fill.Layout.Shards:#,0} shards are not published");
        }

        return NotQuiet(state) is { } notQuiet
            ? Refuse(notQuiet)
            : ImageRecord.Accept([new TargetFinished(finish.Digest, finish.At)]);
    }

    private static bool IsFinishedBy(ImageState state, Lease lease) =>
        state.Finished is { } done && done.Holder == lease.Holder && done.Purpose == lease.Purpose;

    // A rebase leaves the guest's bytes as they are.
    private static string DigestAfter(ImageState state, UsePurpose purpose, string digest) =>
        digest.Length == 0 && purpose == UsePurpose.Rebase ? state.Finished?.Digest ?? "" : digest;

    private static Decision<ImageEvent> Abandon(ImageState state, AbandonFill abandon)
    {
        if (Check(state, abandon.Token, abandon.At, out _) is { } refusal)
        {
            return Refuse(refusal);
        }

        return state.Fill is null ? ImageRecord.Accept([])
            : NotQuiet(state) is { } notQuiet ? Refuse(notQuiet)
            : ImageRecord.Accept([new FillAbandoned(abandon.At)]);
    }

    private static FillState Granted(FillState fill, RoomGranted granted)
    {
        RoomGrant room = granted.Room;
        OpenRoom open = fill.Open.GetValueOrDefault(granted.Assignment) ?? OpenRoom.Empty;
        // Whatever the event says is granted is not free any more, also where another version of this program would have chosen otherwise.
        ImmutableSortedDictionary<long, FreeRoom> free = fill.Free;
        foreach (FreeRoom source in fill.Free.Values.Where(source => source.Start < room.End && source.End > room.Start))
        {
            RangeSet rest = RangeSet.Of(source.Start, source.End).Remove(room.Start, room.End);
            free = Add(free.Remove(source.Start), rest, source.Dirty);
        }

        return fill with
        {
            HighWater = Math.Max(fill.HighWater, room.End),
            Open = fill.Open.SetItem(granted.Assignment, open with { Grants = open.Grants.Add(room.Request, room), Granted = open.Granted.Add(room.Start, room.End) }),
            Free = free,
        };
    }

    private static FillState Published(FillState fill, ShardsPublished published)
    {
        fill = fill with { Published = published.Shards.Aggregate(fill.Published, (set, shard) => set.Add(shard.Shard)) };
        if (!fill.Open.TryGetValue(published.Assignment, out OpenRoom? open))
        {
            return fill;
        }

        RangeSet used = published.Shards.SelectMany(shard => shard.Rooms).Aggregate(open.Used, (set, room) => set.Add(room.Start, room.Start + room.Length));
        return fill with { Open = fill.Open.SetItem(published.Assignment, open with { Used = used }) };
    }

    private static FillState Closed(FillState fill, RoomClosed closed)
    {
        OpenRoom open = fill.Open.GetValueOrDefault(closed.Assignment) ?? OpenRoom.Empty;
        long unit = fill.Layout.RoomAlignment;
        // Units of which a part is in use are wholly in use.
        RangeSet free = open.Used.Aggregate(open.Granted, (set, used) =>
            set.Remove(used.Start / unit * unit, (long)Int128.Min(RoundUp(used.End, unit), long.MaxValue)));
        RangeSet written = open.Grants.Values.Aggregate(RangeSet.Empty, (set, grant) => set.Add(grant.Start, CleanFrom(closed, grant, unit)));
        RangeSet clean = free.Except(written);
        return fill with
        {
            Open = fill.Open.Remove(closed.Assignment),
            Closed = fill.Closed.Add(closed.Assignment),
            Free = Add(Add(fill.Free, free.Except(clean), dirty: true), clean, dirty: false),
        };
    }

    private static long CleanFrom(RoomClosed closed, RoomGrant grant, long unit) => closed.CleanFrom.TryGetValue(grant.Request, out long from)
        ? (long)Int128.Min(RoundUp(Math.Max(from, grant.Start), unit), grant.End)
        : grant.End;

    private static ImmutableSortedDictionary<long, FreeRoom> Add(ImmutableSortedDictionary<long, FreeRoom> free, RangeSet ranges, bool dirty) =>
        ranges.Aggregate(free, (rooms, range) => rooms.Add(range.Start, new FreeRoom(range.Start, range.Length, dirty)));

    private static Refusal? Check(ImageState state, long token, Instant at, out Lease? lease)
    {
        Refusal? refusal = ImageRecord.Check(state, token, at, out lease);
        return refusal ?? (UseRule.IsSharded(lease!.Purpose)
            ? null
            : new Refusal(RefusalKind.Invalid, $"{state.Name}: lease {token} is not for writing shards"));
    }

    private static Refusal? Filling(ImageState state, long token, Instant at, out FillState? fill)
    {
        fill = state.Fill;
        return Check(state, token, at, out _) ??
            (fill is null ? new Refusal(RefusalKind.Conflict, $"{state.Name} is not being filled") : null);
    }

    private static Decision<ImageEvent> Refuse(Refusal refusal) => new(refusal);

    private static Int128 RoundUp(Int128 value, long unit) => (value + unit - 1) / unit * unit;
}
