using System.Collections.Immutable;
using ImageCluster.Jobs.Images;
using static ImageCluster.Jobs.Contracts.ValueMapping;
using P = ImageCluster.Jobs.Contracts.V1;

namespace ImageCluster.Jobs.Contracts;

/// <summary>The state of an image's record, whole.</summary>
internal static class ImageStateContract
{
    public static Contract Current { get; } = Contract.Of<ImageState, P.ImageState>("image.state.v1", State, State);

    private static P.ImageState State(ImageState state) => new()
    {
        Name = ToMessage(state.Name ?? throw new ContractException("a record without a name has no state")),
        LastToken = state.LastToken,
        Leases = { state.Leases.Values.Select(Lease) },
        Dependents = { state.Dependents.Select(ToMessage) },
        Fill = state.Fill is null ? null : Fill(state.Fill),
        Finished = state.Finished is not { } done ? null : new P.FinishedTarget
        {
            Holder = done.Holder,
            Purpose = (int)done.Purpose,
            Digest = done.Digest,
            At = done.At.UnixMilliseconds,
        },
        LastChange = state.LastChange is not { } change ? null : new P.ImageChange
        {
            Token = change.Token,
            Purpose = (int)change.Purpose,
            Detail = change.Detail,
            Outcome = (int)change.Outcome,
            Message = change.Message,
            At = change.At.UnixMilliseconds,
        },
    };

    private static ImageState State(P.ImageState state) => new()
    {
        Name = ToDomain(state.Name),
        LastToken = state.LastToken,
        Leases = state.Leases.ToImmutableSortedDictionary(lease => lease.Token, Lease),
        Dependents = [.. state.Dependents.Select(ToDomain)],
        Fill = state.Fill is null ? null : Fill(state.Fill),
        Finished = state.Finished is not { } done ? null : new FinishedTarget(done.Holder, ToEnum<UsePurpose>(done.Purpose), done.Digest, ToInstant(done.At)),
        LastChange = state.LastChange is not { } change
            ? null
            : new ImageChange(change.Token, ToEnum<UsePurpose>(change.Purpose), change.Detail, ToEnum<ChangeOutcome>(change.Outcome), change.Message, ToInstant(change.At)),
    };

    private static P.LeaseState Lease(Lease lease)
    {
        var message = new P.LeaseState
        {
            Token = lease.Token,
            Holder = lease.Holder,
            Purpose = (int)lease.Purpose,
            Detail = lease.Detail,
            GrantedAt = lease.GrantedAt.UnixMilliseconds,
            Duration = Milliseconds(lease.Duration),
            Deadline = lease.Deadline.UnixMilliseconds,
        };
        if (lease.Revoked is { } revoked)
        {
            message.Revoked = revoked;
        }

        return message;
    }

    private static Lease Lease(P.LeaseState lease) => new()
    {
        Token = lease.Token,
        Holder = lease.Holder,
        Purpose = ToEnum<UsePurpose>(lease.Purpose),
        Detail = lease.Detail,
        GrantedAt = ToInstant(lease.GrantedAt),
        Duration = ToDuration(lease.Duration),
        Deadline = ToInstant(lease.Deadline),
        Revoked = lease.HasRevoked ? lease.Revoked : null,
    };

    private static P.FillState Fill(FillState fill) => new()
    {
        Holder = fill.Holder,
        Purpose = (int)fill.Purpose,
        Layout = ToMessage(fill.Layout),
        HighWater = (ulong)fill.HighWater,
        Open =
        {
            fill.Open.Select(open => new P.OpenRoom { Assignment = open.Key, Grants = { open.Value.Grants.Values.Select(ToMessage) }, Used = ToMessage(open.Value.Used) }),
        },
        Closed = ToMessage(fill.Closed),
        Free = { fill.Free.Values.Select(free => new P.FreeRoom { Start = (ulong)free.Start, Length = (ulong)free.Length, Dirty = free.Dirty }) },
        Published = ToMessage(fill.Published),
    };

    private static FillState Fill(P.FillState fill) => new()
    {
        Holder = fill.Holder,
        Purpose = ToEnum<UsePurpose>(fill.Purpose),
        Layout = ToDomain(fill.Layout),
        HighWater = ToLong(fill.HighWater),
        Open = fill.Open.ToImmutableSortedDictionary(open => open.Assignment, Open),
        Closed = ToDomain(fill.Closed),
        Free = fill.Free.Select(free => new FreeRoom(ToLong(free.Start), ToLong(free.Length), free.Dirty)).ToImmutableSortedDictionary(free => free.Start, free => free),
        Published = ToDomain(fill.Published),
    };

    // What is granted is the sum of the grants.
    private static OpenRoom Open(P.OpenRoom open)
    {
        RoomGrant[] grants = [.. open.Grants.Select(ToDomain)];
        return new OpenRoom(
            grants.ToImmutableSortedDictionary(grant => grant.Request, grant => grant),
            grants.Aggregate(RangeSet.Empty, (set, grant) => set.Add(grant.Start, checked(grant.Start + grant.Length))),
            ToDomain(open.Used));
    }
}
