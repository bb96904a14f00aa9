using ImageCluster.Cluster.Messages;
using ImageCluster.Jobs.Contracts;
using ImageCluster.Jobs.Images;
using static ImageCluster.Jobs.Contracts.ValueMapping;
using P = ImageCluster.Cluster.Messages.V1;

namespace ImageCluster.Cluster.Serialization;

/// <summary>What image actors are asked and answer, one contract each.</summary>
internal static class ImageMessageContracts
{
    public static IReadOnlyList<Contract> All { get; } =
    [
        Contract.Of<DescribeImage, P.DescribeImage>("image.describe.v1",
            c => new() { Image = ToMessage(c.Image) },
            m => new(ToDomain(m.Image))),
        Contract.Of<ImageDone, P.ImageDone>("image.done.v1",
            r => new() { Image = ToMessage(r.Image) },
            m => new(ToDomain(m.Image))),
        Contract.Of<UseGranted, P.UseGranted>("image.use-granted.v1",
            r => new() { Image = ToMessage(r.Image), Token = r.Token, Remaining = Milliseconds(r.Remaining) },
            m => new(ToDomain(m.Image), m.Token, ToRemaining(m.Remaining))),
        Contract.Of<RoomGiven, P.RoomGiven>("image.room-given.v1",
            r => new() { Image = ToMessage(r.Image), Assignment = r.Assignment, Room = ToMessage(r.Room) },
            m => new(ToDomain(m.Image), m.Assignment, ToDomain(m.Room))),
        Contract.Of<ImageRefused, P.ImageRefused>("image.refused.v1",
            r => new() { Image = ToMessage(r.Image), Refusal = ToMessage(r.Refusal) },
            m => new(ToDomain(m.Image), ToDomain(m.Refusal ?? throw new ArgumentException("the refusal is missing")))),
        Contract.Of<ImageDescription, P.ImageDescription>("image.description.v1", Description, Description),
    ];

    private static P.ImageDescription Description(ImageDescription r) => new()
    {
        Image = ToMessage(r.Image),
        Users = { r.Users.Select(User) },
        Dependents = { r.Dependents.Select(ToMessage) },
        Shards = (ulong)r.Shards,
        Published = (ulong)r.Published,
        FinishedBy = r.FinishedBy,
        Digest = r.Digest,
        OpenRooms = { r.OpenRooms },
    };

    private static ImageDescription Description(P.ImageDescription m) =>
        new(ToDomain(m.Image), [.. m.Users.Select(User)], ToDomain(m.Dependents), ToLong(m.Shards), ToLong(m.Published), m.FinishedBy, m.Digest)
        {
            OpenRooms = [.. m.OpenRooms],
        };

    private static P.ImageUser User(ImageUser user) => new()
    {
        Token = user.Token,
        Holder = user.Holder,
        Purpose = (int)user.Purpose,
        Detail = user.Detail,
        Remaining = Milliseconds(user.Remaining),
        Revoked = user.Revoked,
    };

    private static ImageUser User(P.ImageUser user) =>
        new(user.Token, user.Holder, ToEnum<UsePurpose>(user.Purpose), user.Detail, ToRemaining(user.Remaining), user.Revoked);

    // Unlike a duration it may be nothing.
    internal static TimeSpan ToRemaining(long milliseconds) => milliseconds == 0 ? TimeSpan.Zero : ToDuration(milliseconds);
}
