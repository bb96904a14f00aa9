using ImageCluster.Jobs.Images;
using static ImageCluster.Jobs.Contracts.ValueMapping;
using P = ImageCluster.Jobs.Contracts.V1;

namespace ImageCluster.Jobs.Contracts;

/// <summary>The events of an image's record, one contract each.</summary>
internal static class ImageEventContracts
{
    public static IReadOnlyList<Contract> All { get; } =
    [
        Contract.Of<ImageNamed, P.ImageNamed>("image.named.v1",
            e => new() { Name = ToMessage(e.Name) },
            m => new(ToDomain(m.Name))),
        Contract.Of<LeaseGranted, P.LeaseGranted>("image.lease-granted.v1",
            e => new()
            {
                Token = e.Token,
                Holder = e.Holder,
                Purpose = (int)e.Purpose,
                Detail = e.Detail,
                At = e.At.UnixMilliseconds,
                Duration = Milliseconds(e.Duration),
            },
            m => new(m.Token, m.Holder, ToEnum<UsePurpose>(m.Purpose), m.Detail, ToInstant(m.At), ToDuration(m.Duration))),
        Contract.Of<LeaseRenewed, P.LeaseRenewed>("image.lease-renewed.v1",
            e => new() { Token = e.Token, At = e.At.UnixMilliseconds },
            m => new(m.Token, ToInstant(m.At))),
        Contract.Of<LeaseReleased, P.LeaseReleased>("image.lease-released.v1",
            e => new() { Token = e.Token, At = e.At.UnixMilliseconds },
            m => new(m.Token, ToInstant(m.At))),
        Contract.Of<LeaseExpired, P.LeaseExpired>("image.lease-expired.v1",
            e => new() { Token = e.Token, At = e.At.UnixMilliseconds },
            m => new(m.Token, ToInstant(m.At))),
        Contract.Of<LeaseRevoked, P.LeaseRevoked>("image.lease-revoked.v1",
            e => new() { Token = e.Token, By = e.By, Reason = e.Reason, At = e.At.UnixMilliseconds },
            m => new(m.Token, m.By, m.Reason, ToInstant(m.At))),
        Contract.Of<LeasesRestarted, P.LeasesRestarted>("image.leases-restarted.v1",
            e => new() { At = e.At.UnixMilliseconds },
            m => new(ToInstant(m.At))),
        Contract.Of<DependentAdded, P.DependentAdded>("image.dependent-added.v1",
            e => new() { Overlay = ToMessage(e.Overlay) },
            m => new(ToDomain(m.Overlay))),
        Contract.Of<DependentRemoved, P.DependentRemoved>("image.dependent-removed.v1",
            e => new() { Overlay = ToMessage(e.Overlay), Reason = e.Reason },
            m => new(ToDomain(m.Overlay)) { Reason = m.Reason }),
        Contract.Of<FillStarted, P.FillStarted>("image.fill-started.v1",
            e => new() { Token = e.Token, Layout = ToMessage(e.Layout) },
            m => new(m.Token, ToDomain(m.Layout))),
        Contract.Of<RoomGranted, P.RoomGranted>("image.room-granted.v1",
            e => new() { Assignment = e.Assignment, Room = ToMessage(e.Room) },
            m => new(m.Assignment, ToDomain(m.Room))),
        Contract.Of<ShardsPublished, P.ShardsPublished>("image.shards-published.v1",
            e => new() { Assignment = e.Assignment, Shards = { e.Shards.Select(ToMessage) } },
            m => new(m.Assignment, [.. m.Shards.Select(ToDomain)])),
        Contract.Of<RoomClosed, P.RoomClosed>("image.room-closed.v1", RoomClosed, RoomClosed),
        Contract.Of<TargetFinished, P.TargetFinished>("image.target-finished.v1",
            e => new() { Digest = e.Digest, At = e.At.UnixMilliseconds },
            m => new(m.Digest, ToInstant(m.At))),
        Contract.Of<FillAbandoned, P.FillAbandoned>("image.fill-abandoned.v1",
            e => new() { At = e.At.UnixMilliseconds },
            m => new(ToInstant(m.At))),
        Contract.Of<ChangeEnded, P.ChangeEnded>("image.change-ended.v1",
            e => new() { Token = e.Token, Succeeded = e.Succeeded, Message = e.Message, At = e.At.UnixMilliseconds },
            m => new(m.Token, m.Succeeded, m.Message, ToInstant(m.At))),
    ];

    private static P.RoomClosed RoomClosed(RoomClosed e)
    {
        var message = new P.RoomClosed { Assignment = e.Assignment };
        message.CleanFrom.Add(e.CleanFrom.ToDictionary(pair => pair.Key, pair => (ulong)pair.Value));
        if (e.QuietFrom is { } quiet)
        {
            message.QuietFrom = quiet.UnixMilliseconds;
        }

        return message;
    }

    private static RoomClosed RoomClosed(P.RoomClosed m) =>
        new(m.Assignment, ToCleanFrom(m.CleanFrom), m.HasQuietFrom ? ToInstant(m.QuietFrom) : null);
}
