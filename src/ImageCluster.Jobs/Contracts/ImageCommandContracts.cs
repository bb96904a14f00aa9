using ImageCluster.Jobs.Images;
using static ImageCluster.Jobs.Contracts.ValueMapping;
using P = ImageCluster.Jobs.Contracts.V1;

namespace ImageCluster.Jobs.Contracts;

/// <summary>The commands to an image's record, one contract each.</summary>
internal static class ImageCommandContracts
{
    public static IReadOnlyList<Contract> All { get; } =
    [
        Contract.Of<TakeUse, P.TakeUse>("image.take-use.v1",
            c => new()
            {
                Image = ToMessage(c.Image),
                At = c.At.UnixMilliseconds,
                Holder = c.Holder,
                Purpose = (int)c.Purpose,
                Duration = Milliseconds(c.Duration),
                Detail = c.Detail,
                Via = { c.Via.Select(ToMessage) },
            },
            m => new(ToDomain(m.Image), ToInstant(m.At), m.Holder, ToEnum<UsePurpose>(m.Purpose), ToDuration(m.Duration), m.Detail, ToDomain(m.Via))),
        Contract.Of<RenewUse, P.RenewUse>("image.renew-use.v1",
            c => new() { Image = ToMessage(c.Image), At = c.At.UnixMilliseconds, Token = c.Token },
            m => new(ToDomain(m.Image), ToInstant(m.At), m.Token)),
        Contract.Of<EndUse, P.EndUse>("image.end-use.v1",
            c => new() { Image = ToMessage(c.Image), At = c.At.UnixMilliseconds, Token = c.Token },
            m => new(ToDomain(m.Image), ToInstant(m.At), m.Token)),
        Contract.Of<ExpireUses, P.ExpireUses>("image.expire-uses.v1",
            c => new() { Image = ToMessage(c.Image), At = c.At.UnixMilliseconds },
            m => new(ToDomain(m.Image), ToInstant(m.At))),
        Contract.Of<RevokeUse, P.RevokeUse>("image.revoke-use.v1",
            c => new() { Image = ToMessage(c.Image), At = c.At.UnixMilliseconds, Token = c.Token, By = c.By, Reason = c.Reason },
            m => new(ToDomain(m.Image), ToInstant(m.At), m.Token, m.By, m.Reason)),
        Contract.Of<RestartUses, P.RestartUses>("image.restart-uses.v1",
            c => new() { Image = ToMessage(c.Image), At = c.At.UnixMilliseconds },
            m => new(ToDomain(m.Image), ToInstant(m.At))),
        Contract.Of<AddDependent, P.AddDependent>("image.add-dependent.v1",
            c => new() { Image = ToMessage(c.Image), At = c.At.UnixMilliseconds, Overlay = ToMessage(c.Overlay) },
            m => new(ToDomain(m.Image), ToInstant(m.At), ToDomain(m.Overlay))),
        Contract.Of<RemoveDependent, P.RemoveDependent>("image.remove-dependent.v1",
            c => new() { Image = ToMessage(c.Image), At = c.At.UnixMilliseconds, Overlay = ToMessage(c.Overlay), Reason = c.Reason },
            m => new(ToDomain(m.Image), ToInstant(m.At), ToDomain(m.Overlay)) { Reason = m.Reason }),
        Contract.Of<StartFill, P.StartFill>("image.start-fill.v1",
            c => new() { Image = ToMessage(c.Image), At = c.At.UnixMilliseconds, Token = c.Token, Layout = ToMessage(c.Layout) },
            m => new(ToDomain(m.Image), ToInstant(m.At), m.Token, ToDomain(m.Layout))),
        Contract.Of<GrantRoom, P.GrantRoom>("image.grant-room.v1",
            c => new()
            {
                Image = ToMessage(c.Image),
                At = c.At.UnixMilliseconds,
                Token = c.Token,
                Assignment = c.Assignment,
                Request = c.Request,
                Wanted = c.Wanted,
                AtLeast = c.AtLeast,
            },
            m => new(ToDomain(m.Image), ToInstant(m.At), m.Token, m.Assignment, m.Request, m.Wanted, m.AtLeast)),
        Contract.Of<PublishShards, P.PublishShards>("image.publish-shards.v1",
            c => new()
            {
                Image = ToMessage(c.Image),
                At = c.At.UnixMilliseconds,
                Token = c.Token,
                Assignment = c.Assignment,
                Shards = { c.Manifests.Select(manifest => new P.ShardToPublish { Shard = (ulong)manifest.Shard, Manifest = ToMessage(manifest) }) },
            },
            m => new(ToDomain(m.Image), ToInstant(m.At), m.Token, m.Assignment,
                [.. m.Shards.Select(shard => ToDomain(shard.Manifest, ToLong(shard.Shard)))])),
        Contract.Of<CloseRoom, P.CloseRoom>("image.close-room.v1", CloseRoom, CloseRoom),
        Contract.Of<FinishTarget, P.FinishTarget>("image.finish-target.v1",
            c => new() { Image = ToMessage(c.Image), At = c.At.UnixMilliseconds, Token = c.Token, Digest = c.Digest },
            m => new(ToDomain(m.Image), ToInstant(m.At), m.Token, m.Digest)),
        Contract.Of<AbandonFill, P.AbandonFill>("image.abandon-fill.v1",
            c => new() { Image = ToMessage(c.Image), At = c.At.UnixMilliseconds, Token = c.Token },
            m => new(ToDomain(m.Image), ToInstant(m.At), m.Token)),
        Contract.Of<EndChange, P.EndChange>("image.end-change.v1",
            c => new() { Image = ToMessage(c.Image), At = c.At.UnixMilliseconds, Token = c.Token, Succeeded = c.Succeeded, Message = c.Message },
            m => new(ToDomain(m.Image), ToInstant(m.At), m.Token, m.Succeeded, m.Message)),
    ];

    private static P.CloseRoom CloseRoom(CloseRoom c)
    {
        var message = new P.CloseRoom { Image = ToMessage(c.Image), At = c.At.UnixMilliseconds, Token = c.Token, Assignment = c.Assignment };
        message.CleanFrom.Add(c.CleanFrom.ToDictionary(pair => pair.Key, pair => (ulong)pair.Value));
        return message;
    }

    private static CloseRoom CloseRoom(P.CloseRoom m) => new(ToDomain(m.Image), ToInstant(m.At), m.Token, m.Assignment, ToCleanFrom(m.CleanFrom));
}
