using System.Collections.Immutable;

namespace ImageCluster.Jobs.Images;

/// <summary>
/// The record of one image, which serialises what changes it and keeps the use rule. Pure: <see cref="Decide"/> says what a command
/// leads to, <see cref="Apply"/> what an event makes of the state; whoever keeps the record stores the events in between.
/// <para>
/// Invariants: a lease that is exclusive is alone; tokens only rise; no two grants of room overlap, nor does one overlap what a
/// published shard occupies; a published shard stays published until the fill is given up.
/// </para>
/// </summary>
public static class ImageRecord
{
    /// <summary>The longest duration of a lease: a day.</summary>
    public static readonly TimeSpan MaxDuration = TimeSpan.FromDays(1);

    public static Decision<ImageEvent> Decide(ImageState state, ImageCommand command)
    {
        if (state.Name is not null && state.Name != command.Image)
        {
            return Refuse(RefusalKind.Invalid, $"this is the record of {state.Name}, not of {command.Image}");
        }

        Decision<ImageEvent> decision = command switch
        {
            TakeUse take => Take(state, take),
            RenewUse renew => Renew(state, renew),
            EndUse end => End(state, end),
            ExpireUses expire => Accept(Expired(state, expire.At)),
            RevokeUse revoke => Revoke(state, revoke),
            RestartUses restart => Accept(state.Leases.IsEmpty ? [] : [new LeasesRestarted(restart.At)]),
            AddDependent add => Accept(state.Dependents.Contains(add.Overlay) ? [] : [new DependentAdded(add.Overlay)]),
            RemoveDependent remove => Accept(state.Dependents.Contains(remove.Overlay) ? [new DependentRemoved(remove.Overlay) { Reason = remove.Reason }] : []),
            EndChange change => EndOfChange(state, change),
            _ => ImageFilling.Decide(state, command),
        };
        return state.Name is null && decision.Events.Count > 0
            ? Accept([new ImageNamed(command.Image), .. decision.Events])
            : decision;
    }

    public static ImageState Apply(ImageState state, ImageEvent e) => e switch
    {
        ImageNamed named => state with { Name = named.Name },
        LeaseGranted granted => Granted(state, granted),
        LeaseRenewed renewed => state with { Leases = Change(state, renewed.Token, lease => lease with { Deadline = renewed.At + lease.Duration }) },
        LeaseRevoked revoked => state with { Leases = Change(state, revoked.Token, lease => lease with { Revoked = $"by {revoked.By}: {revoked.Reason}" }) },
        LeaseReleased released => Ended(state, released.Token, released.At),
        LeaseExpired expired => Ended(state, expired.Token, expired.At),
        ChangeEnded change => ChangeDone(state, change),
        LeasesRestarted restarted => Restarted(state, restarted.At),
        DependentAdded added => state with { Dependents = state.Dependents.Add(added.Overlay) },
        DependentRemoved removed => state with { Dependents = state.Dependents.Remove(removed.Overlay) },
        _ => ImageFilling.Apply(state, e),
    };

    public static ImageState Replay(IEnumerable<ImageEvent> events) => events.Aggregate(ImageState.New, Apply);

    /// <summary>The lease that a holder has for a purpose: what <see cref="TakeUse"/> gave. Null where it has none.</summary>
    public static Lease? FindUse(ImageState state, string holder, UsePurpose purpose) =>
        state.Leases.Values.FirstOrDefault(lease => lease.Holder == holder && lease.Purpose == purpose);

    /// <summary>The room that <see cref="GrantRoom"/> gave to a request, or null.</summary>
    public static RoomGrant? FindRoom(ImageState state, long assignment, int request) =>
        state.Fill?.Open.GetValueOrDefault(assignment)?.Grants.GetValueOrDefault(request);

    internal static Decision<ImageEvent> Accept(IReadOnlyList<ImageEvent> events) => new(events);

    internal static Decision<ImageEvent> Refuse(RefusalKind kind, string message) => new(new Refusal(kind, message));

    /// <summary>The lease of a token that still counts at a time, or the refusal.</summary>
    internal static Refusal? Check(ImageState state, long token, Instant at, out Lease? lease)
    {
        if (!state.Leases.TryGetValue(token, out lease))
        {
            return new Refusal(RefusalKind.Stale, token > state.LastToken || token <= 0
                ? $"{state.Name}: lease {token} was never granted"
                : $"{state.Name}: lease {token} has ended; stop using the image");
        }

        return lease.Deadline <= at
            ? new Refusal(RefusalKind.Stale, $"{state.Name}: lease {token} ran out at {lease.Deadline}; stop using the image")
            : null;
    }

    private static Decision<ImageEvent> Take(ImageState state, TakeUse take)
    {
        if (take.Duration < TimeSpan.FromMilliseconds(1) || take.Duration > MaxDuration || take.Holder.Length == 0)
        {
            return Refuse(RefusalKind.Invalid, "a use needs a holder and a duration of a millisecond to a day");
        }

        List<ImageEvent> events = Expired(state, take.At);
        state = events.Aggregate(state, Apply);
        if (FindUse(state, take.Holder, take.Purpose) is { } held)
        {
            return held.Revoked is null
                ? Accept([.. events, .. Renewal(held, take.At)])
                : Refuse(RefusalKind.Stale, $"{take.Image}: the lease of {held.Holder} was taken away {held.Revoked}");
        }

        Refusal? refusal = InTheWay(state, take) ?? Dependents(state, take) ?? Unfinished(state, take);
        return refusal is not null
            ? new Decision<ImageEvent>(refusal)
            : Accept([.. events, new LeaseGranted(state.LastToken + 1, take.Holder, take.Purpose, take.Detail, take.At, Instant.Whole(take.Duration))]);
    }

    private static Refusal? InTheWay(ImageState state, TakeUse take)
    {
        Lease? other = UseRule.IsExclusive(take.Purpose) ? state.Leases.Values.FirstOrDefault() : state.Modifier;
        if (other is null)
        {
            return null;
        }

        string until = other.Revoked is null ? "" : $"; its lease was taken away {other.Revoked} and ends at {other.Deadline}";
        return new Refusal(RefusalKind.InUse, $"{take.Image} is being {UseRule.Describe(other.Purpose)} by {other.Holder}{until}");
    }

    private static Refusal? Dependents(ImageState state, TakeUse take)
    {
        bool changesIt = UseRule.ChangesContent(take.Purpose);
        if ((!changesIt && take.Via.IsEmpty) || state.Dependents.Except(take.Via) is not { IsEmpty: false } others)
        {
            return null;
        }

        string what = changesIt ? $"{take.Image} cannot be {UseRule.Describe(take.Purpose)}" : $"what {take.Image} stands on cannot be changed";
        string more = others.Count > 1 ? $" and {others.Count - 1} more" : "";
        return new Refusal(RefusalKind.HasDependents, $"{what}: {others[0]}{more} stands on it and would be corrupted (image forget-dependent, where it was deleted)");
    }

    private static Refusal? Unfinished(ImageState state, TakeUse take)
    {
        // Filling anew or creating replaces the remains of a target; everything else would take them for an image.
        return state.Fill is not { Purpose: UsePurpose.Fill } fill || take.Purpose is UsePurpose.Fill or UsePurpose.Create
            ? null
            : new Refusal(RefusalKind.Conflict, $"{take.Image} is a target that {fill.Holder} has not finished");
    }

    private static Decision<ImageEvent> Renew(ImageState state, RenewUse renew)
    {
        if (Check(state, renew.Token, renew.At, out Lease? lease) is { } refusal)
        {
            return new Decision<ImageEvent>(refusal);
        }

        return lease!.Revoked is null
            ? Accept(Renewal(lease, renew.At))
            : Refuse(RefusalKind.Stale, $"{state.Name}: lease {lease.Token} was taken away {lease.Revoked}; it ends at {lease.Deadline}");
    }

    private static IReadOnlyList<ImageEvent> Renewal(Lease lease, Instant at) =>
        lease.Deadline - at < lease.Duration / 2 ? [new LeaseRenewed(lease.Token, at)] : [];

    private static Decision<ImageEvent> End(ImageState state, EndUse end)
    {
        if (!state.Leases.TryGetValue(end.Token, out Lease? lease))
        {
            // Given back already, or run out: either way it is as asked.
            return end.Token > 0 && end.Token <= state.LastToken
                ? Accept([])
                : Refuse(RefusalKind.Stale, $"{end.Image}: lease {end.Token} was never granted");
        }

        return UseRule.IsSharded(lease.Purpose) && ImageFilling.NotQuiet(state) is { } refusal
            ? new Decision<ImageEvent>(refusal)
            : Accept([new LeaseReleased(end.Token, end.At)]);
    }

    private static Decision<ImageEvent> Revoke(ImageState state, RevokeUse revoke)
    {
        if (!state.Leases.TryGetValue(revoke.Token, out Lease? lease))
        {
            return Refuse(RefusalKind.Unknown, $"{revoke.Image} has no lease {revoke.Token}");
        }

        return Accept(lease.Revoked is null ? [new LeaseRevoked(revoke.Token, revoke.By, revoke.Reason, revoke.At)] : []);
    }

    private static Decision<ImageEvent> EndOfChange(ImageState state, EndChange end)
    {
        if (state.LastChange is { } last && last.Token == end.Token && last.Outcome != ChangeOutcome.Interrupted)
        {
            return Accept([]);
        }

        if (Check(state, end.Token, end.At, out Lease? lease) is { } refusal)
        {
            return new Decision<ImageEvent>(refusal);
        }

        return UseRule.IsWholeImageChange(lease!.Purpose)
            ? Accept([new ChangeEnded(end.Token, end.Succeeded, end.Message, end.At)])
            : Refuse(RefusalKind.Invalid, $"{end.Image}: lease {end.Token} is not one of a whole-image change");
    }

    private static List<ImageEvent> Expired(ImageState state, Instant at) =>
        [.. state.Leases.Values.Where(lease => lease.Deadline <= at).Select(lease => new LeaseExpired(lease.Token, at))];

    private static ImageState Granted(ImageState state, LeaseGranted granted)
    {
        bool goesOn = state.Fill is { } fill
            ? fill.Holder == granted.Holder && fill.Purpose == granted.Purpose
            : state.Finished is { } done && done.Holder == granted.Holder && done.Purpose == granted.Purpose;
        var lease = new Lease
        {
            Token = granted.Token,
            Holder = granted.Holder,
            Purpose = granted.Purpose,
            Detail = granted.Detail,
            GrantedAt = granted.At,
            Duration = granted.Duration,
            Deadline = granted.At + granted.Duration,
        };
        return state with
        {
            LastToken = granted.Token,
            Leases = state.Leases.Add(granted.Token, lease),
            Fill = lease.IsExclusive && !goesOn ? null : state.Fill,
            Finished = UseRule.ChangesContent(lease.Purpose) && !goesOn ? null : state.Finished,
        };
    }

    private static ImageState Ended(ImageState state, long token, Instant at)
    {
        Lease lease = state.Leases[token];
        return state with
        {
            Leases = state.Leases.Remove(token),
            LastChange = UseRule.IsWholeImageChange(lease.Purpose)
                ? new ImageChange(token, lease.Purpose, lease.Detail, ChangeOutcome.Interrupted, "", at)
                : state.LastChange,
        };
    }

    private static ImageState ChangeDone(ImageState state, ChangeEnded ended)
    {
        Lease lease = state.Leases[ended.Token];
        ChangeOutcome outcome = ended.Succeeded ? ChangeOutcome.Succeeded : ChangeOutcome.Failed;
        return state with
        {
            Leases = state.Leases.Remove(ended.Token),
            LastChange = new ImageChange(lease.Token, lease.Purpose, lease.Detail, outcome, ended.Message, ended.At),
        };
    }

    private static ImageState Restarted(ImageState state, Instant at) => state with
    {
        Leases = state.Leases.ToImmutableSortedDictionary(pair => pair.Key, pair => pair.Value with { Deadline = at + pair.Value.Duration }),
    };

    private static ImmutableSortedDictionary<long, Lease> Change(ImageState state, long token, Func<Lease, Lease> change) =>
        state.Leases.SetItem(token, change(state.Leases[token]));
}
