using System.Collections.Immutable;
using ImageCluster.Imaging.Formats.Filling;
using ImageCluster.Jobs.Images;

namespace ImageCluster.Jobs.Tests.Images;

public class ImageRecordTests
{
    private static readonly ImageName Image = new("kvm", "a.qcow2");
    private static readonly ImageName Overlay = new("kvm", "top.qcow2");
    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);

    private readonly Journal<ImageState, ImageEvent> _journal = new(ImageState.New, ImageRecord.Apply);
    private Instant _now = new(1_000_000);

    private ImageState State => _journal.State;

    public static TheoryData<UsePurpose> Purposes => new(Enum.GetValues<UsePurpose>());

    [Fact]
    public void Every_pairing_of_purposes_follows_the_rule()
    {
        foreach (UsePurpose first in Enum.GetValues<UsePurpose>())
        {
            foreach (UsePurpose second in Enum.GetValues<UsePurpose>())
            {
                var journal = new Journal<ImageState, ImageEvent>(ImageState.New, ImageRecord.Apply);
                Assert.Null(journal.Take(ImageRecord.Decide(journal.State, Take("job-1", first))));
                Refusal? refusal = journal.Take(ImageRecord.Decide(journal.State, Take("job-2", second)));
                if (first == UsePurpose.Read && second == UsePurpose.Read)
                {
                    Assert.Null(refusal);
                }
                else
                {
                    Assert.Equal(RefusalKind.InUse, refusal!.Kind);
                    Assert.Equal($"kvm:a.qcow2 is being {UseRule.Describe(first)} by job-1", refusal.Message);
                }
            }
        }
    }

    [Theory]
    [MemberData(nameof(Purposes))]
    public void A_lease_is_given_back_or_runs_out_and_the_next_has_a_higher_token(UsePurpose purpose)
    {
        long first = Granted("job-1", purpose).Token;
        Accept(new EndUse(Image, _now, first));
        Accept(new EndUse(Image, _now, first));
        long second = Granted("job-2", purpose).Token;
        _now += Minute;
        long third = Granted("job-3", purpose).Token;

        Assert.Equal([1, 2, 3], [first, second, third]);
        Refuse(RefusalKind.Stale, new RenewUse(Image, _now, second));
    }

    [Fact]
    public void Asking_again_gives_the_same_lease()
    {
        Lease lease = Granted("job-1", UsePurpose.Read);
        int stored = _journal.Stored.Count;
        Assert.Same(lease, Granted("job-1", UsePurpose.Read));
        Assert.Equal(stored, _journal.Stored.Count);
    }

    [Fact]
    public void A_renewal_is_stored_only_when_half_of_the_time_is_gone()
    {
        Lease lease = Granted("job-1", UsePurpose.Fill);
        int stored = _journal.Stored.Count;
        _now += TimeSpan.FromSeconds(29);
        Accept(new RenewUse(Image, _now, lease.Token));
        Assert.Equal(stored, _journal.Stored.Count);
        _now += TimeSpan.FromSeconds(2);
        Accept(new RenewUse(Image, _now, lease.Token));
        Assert.Equal(stored + 1, _journal.Stored.Count);
        Assert.Equal(_now + Minute, State.Leases[lease.Token].Deadline);
    }

    [Fact]
    public void A_lease_that_ran_out_is_stale_before_anybody_has_noted_it()
    {
        Lease lease = Granted("job-1", UsePurpose.Fill);
        _now = lease.Deadline;
        Refuse(RefusalKind.Stale, new RenewUse(Image, _now, lease.Token));
        Refuse(RefusalKind.Stale, new StartFill(Image, _now, lease.Token, Layout(1)));
        Accept(new ExpireUses(Image, _now));
        Assert.True(State.IsIdle);
    }

    [Fact]
    public void A_revoked_lease_is_not_renewed_and_blocks_until_its_deadline()
    {
        Lease lease = Granted("job-1", UsePurpose.Fill);
        Refuse(RefusalKind.Unknown, new RevokeUse(Image, _now, 99, "eve", "x"));
        Accept(new RevokeUse(Image, _now, lease.Token, "eve", "job-1 hangs"));
        Refuse(RefusalKind.Stale, new RenewUse(Image, _now, lease.Token));
        Refuse(RefusalKind.Stale, Take("job-1", UsePurpose.Fill));
        Refusal refusal = Refuse(RefusalKind.InUse, Take("job-2", UsePurpose.Read));
        Assert.Contains("taken away by eve: job-1 hangs and ends at", refusal.Message, StringComparison.Ordinal);
        _now = lease.Deadline;
        Granted("job-2", UsePurpose.Read);
    }

    [Theory]
    [MemberData(nameof(Purposes))]
    public void What_changes_the_content_is_refused_while_an_overlay_depends_on_it(UsePurpose purpose)
    {
        Accept(new AddDependent(Image, _now, Overlay));
        if (!UseRule.ChangesContent(purpose))
        {
            Granted("job-1", purpose);
            return;
        }

        Refusal refusal = Refuse(RefusalKind.HasDependents, Take("job-1", purpose));
        Assert.Contains("kvm:top.qcow2 stands on it and would be corrupted (image forget-dependent, where it was deleted)", refusal.Message, StringComparison.Ordinal);

        // The commit of that very overlay is what it is there for.
        Accept(Take("job-1", purpose) with { Via = [Overlay] });
        Accept(new EndUse(Image, _now, State.LastToken));
        Accept(new AddDependent(Image, _now, new ImageName("kvm", "other.qcow2")));
        Refuse(RefusalKind.HasDependents, Take("job-2", purpose) with { Via = [Overlay] });
        Accept(new RemoveDependent(Image, _now, Overlay));
        Accept(new RemoveDependent(Image, _now, new ImageName("kvm", "other.qcow2")));
        Granted("job-2", purpose);
    }

    [Fact]
    public void What_lies_below_an_image_is_not_changed_while_another_overlay_depends_on_that_image()
    {
        // A commit from the overlay to below the image.
        Accept(new AddDependent(Image, _now, Overlay));
        TakeUse through = Take("job-1", UsePurpose.Read) with { Via = [Overlay] };
        Accept(through);
        Accept(new EndUse(Image, _now, State.LastToken));
        Accept(new AddDependent(Image, _now, new ImageName("kvm", "other.qcow2")));
        Refusal refusal = Refuse(RefusalKind.HasDependents, through);
        Assert.Equal("what kvm:a.qcow2 stands on cannot be changed: kvm:other.qcow2 stands on it and would be corrupted (image forget-dependent, where it was deleted)", refusal.Message);
        // Reading alone harms nobody.
        Granted("job-2", UsePurpose.Read);
    }

    [Fact]
    public void Whole_image_changes_are_done_one_at_a_time_and_their_outcomes_are_kept()
    {
        Lease resize = Granted("admin", UsePurpose.Resize);
        Refuse(RefusalKind.InUse, Take("admin", UsePurpose.SnapshotCreate));
        Accept(new EndChange(Image, _now, resize.Token, Succeeded: true, ""));
        Accept(new EndChange(Image, _now, resize.Token, Succeeded: true, ""));
        Assert.Equal(ChangeOutcome.Succeeded, State.LastChange!.Outcome);

        Lease snapshot = Granted("admin", UsePurpose.SnapshotCreate);
        Accept(new EndChange(Image, _now, snapshot.Token, Succeeded: false, "no space"));
        Assert.Equal((ChangeOutcome.Failed, "no space"), (State.LastChange.Outcome, State.LastChange.Message));

        Granted("admin", UsePurpose.Amend);
        _now += Minute;
        Lease read = Granted("job-1", UsePurpose.Read);
        Assert.Equal((UsePurpose.Amend, ChangeOutcome.Interrupted), (State.LastChange.Purpose, State.LastChange.Outcome));
        Refuse(RefusalKind.Invalid, new EndChange(Image, _now, read.Token, Succeeded: true, ""));
    }

    [Fact]
    public void A_target_is_filled_in_granted_room_and_finished()
    {
        long token = StartFilling("job-1", 2);
        Assert.Equal((1024, 1024, false), Room(token, 7, 0, 1000, 1000));
        Assert.Equal((1024, 1024, false), Room(token, 7, 0, 1000, 1000));
        Assert.Equal((2048, 256, false), Room(token, 8, 0, 100, 100));
        Refuse(RefusalKind.Conflict, new FinishTarget(Image, _now, token, "d"));
        Accept(Publish(token, 7, 0, (1024, 600)));
        Accept(Publish(token, 7, 0, (1024, 600)));
        Refuse(RefusalKind.Invalid, Publish(token, 7, 1, (1600, 100)));
        Refuse(RefusalKind.Invalid, Publish(token, 7, 1, (2048, 10)));
        Refuse(RefusalKind.Invalid, Publish(token, 7, 2));
        Accept(Publish(token, 8, 1));
        Refuse(RefusalKind.NotQuiet, new FinishTarget(Image, _now, token, "d"));
        Refuse(RefusalKind.NotQuiet, new EndUse(Image, _now, token));

        // 600 bytes are used, and the worker wrote up to 700 more: the rest of the room is free in whole units.
        Accept(Close(token, 7, (0, 1700)));
        Assert.Equal((2048 - 256, 256, false), Room(token, 8, 1, 4096, 256));
        Assert.Equal((2304, 512, false), Room(token, 8, 2, 512, 512));
        Refuse(RefusalKind.Stale, new GrantRoom(Image, _now, token, 7, 5, 100, 100));
        Refuse(RefusalKind.Stale, Publish(token, 7, 5 % 2) with { Manifests = [new ShardManifest(0, [], [], 0), new ShardManifest(1, [], [], 0)], Token = 99 });
        Accept(Close(token, 8));
        Accept(new FinishTarget(Image, _now, token, "sha256t:x"));
        Accept(new FinishTarget(Image, _now, token, "sha256t:x"));
        Accept(new EndUse(Image, _now, token));
        Assert.Equal(("job-1", "sha256t:x"), (State.Finished!.Holder, State.Finished.Digest));
        Granted("job-2", UsePurpose.Read);
    }

    [Fact]
    public void Room_of_a_lost_attempt_comes_back_dirty()
    {
        long token = StartFilling("job-1", 2);
        Room(token, 7, 0, 512, 512);
        Assert.Equal((1536, 512, false), Room(token, 8, 0, 512, 512));
        Accept(Close(token, 7));
        Accept(Publish(token, 8, 0));
        Accept(Publish(token, 8, 1));
        Accept(Close(token, 8, (0, 1536)));
        Assert.Equal((1024, 512, true), Room(token, 9, 0, 512, 512));
        Assert.Equal((1536, 512, false), Room(token, 9, 1, 512, 512));
        Refuse(RefusalKind.NotQuiet, new AbandonFill(Image, _now, token));
    }

    [Fact]
    public void After_a_restart_leases_last_by_the_new_clock()
    {
        long token = StartFilling("job-1", 1);
        _journal.Crash();
        _now += TimeSpan.FromHours(1);
        Accept(new RestartUses(Image, _now));
        Assert.Equal(_now + Minute, State.Leases[token].Deadline);
    }

    [Fact]
    public void An_unfinished_target_is_nobodys_image()
    {
        long token = StartFilling("job-1", 1);
        Accept(new EndUse(Image, _now, token));
        foreach (UsePurpose purpose in Enum.GetValues<UsePurpose>().Except([UsePurpose.Fill, UsePurpose.Create]))
        {
            Assert.Contains("is a target that job-1 has not finished", Refuse(RefusalKind.Conflict, Take("job-2", purpose)).Message, StringComparison.Ordinal);
        }

        // The same job goes on with it, another starts anew.
        Lease again = Granted("job-1", UsePurpose.Fill);
        Accept(new StartFill(Image, _now, again.Token, Layout(1)));
        Refuse(RefusalKind.Conflict, new StartFill(Image, _now, again.Token, Layout(2)));
        Assert.NotNull(State.Fill);
        Accept(new EndUse(Image, _now, again.Token));
        Granted("job-2", UsePurpose.Fill);
        Assert.Null(State.Fill);
    }

    [Fact]
    public void A_base_that_is_committed_into_by_shards_stays_an_image()
    {
        Lease lease = Granted("job-1", UsePurpose.Commit);
        Accept(new StartFill(Image, _now, lease.Token, Layout(1)));
        Room(lease.Token, 1, 0, 512, 512);
        Accept(Publish(lease.Token, 1, 0, (1024, 512)));
        Accept(Close(lease.Token, 1));
        Accept(new EndUse(Image, _now, lease.Token));
        Accept(new EndUse(Image, _now, Granted("job-2", UsePurpose.Read).Token));
        lease = Granted("job-1", UsePurpose.Commit);
        Assert.True(State.Fill!.AllPublished);
        Accept(new FinishTarget(Image, _now, lease.Token, ""));
        Accept(new FinishTarget(Image, _now, lease.Token, ""));
        Assert.Equal(UsePurpose.Commit, State.Finished!.Purpose);
    }

    [Fact]
    public void A_changed_image_has_no_digest_any_more_a_rebased_one_has()
    {
        long token = StartFilling("job-1", 1);
        Accept(Publish(token, 1, 0));
        Accept(new FinishTarget(Image, _now, token, "sha256t:x"));
        Accept(new EndUse(Image, _now, token));
        Lease rebase = Granted("job-2", UsePurpose.Rebase);
        Accept(new StartFill(Image, _now, rebase.Token, Layout(1)));
        Accept(Publish(rebase.Token, 1, 0));
        Accept(new FinishTarget(Image, _now, rebase.Token, ""));
        Accept(new EndUse(Image, _now, rebase.Token));
        Assert.Equal("sha256t:x", State.Finished!.Digest);
        Granted("admin", UsePurpose.Resize);
        Assert.Null(State.Finished);
    }

    [Fact]
    public void A_target_without_rooms_hands_none_out()
    {
        Lease lease = Granted("job-1", UsePurpose.Fill);
        Accept(new StartFill(Image, _now, lease.Token, new FillLayout { Shards = 1, RoomStart = -1 }));
        Refuse(RefusalKind.Invalid, new GrantRoom(Image, _now, lease.Token, 1, 0, 512, 512));
        Accept(Publish(lease.Token, 1, 0, (0, 512)));
        Accept(new FinishTarget(Image, _now, lease.Token, ""));
    }

    [Fact]
    public void Room_ends_where_the_layout_says()
    {
        Lease lease = Granted("job-1", UsePurpose.Fill);
        Accept(new StartFill(Image, _now, lease.Token, Layout(1) with { RoomEnd = 2048 }));
        Room(lease.Token, 1, 0, 768, 512);
        Refusal refusal = Refuse(RefusalKind.Conflict, new GrantRoom(Image, _now, lease.Token, 1, 1, 257, 1));
        Assert.Contains("no room for 257 bytes below offset 2,048", refusal.Message, StringComparison.Ordinal);
        Room(lease.Token, 1, 2, 256, 256);
        Refuse(RefusalKind.Conflict, new GrantRoom(Image, _now, lease.Token, 1, 3, long.MaxValue, 1));
    }

    [Fact]
    public void A_duration_is_kept_as_it_is_stored()
    {
        Refuse(RefusalKind.Invalid, Take("job-1", UsePurpose.Read) with { Duration = TimeSpan.FromMicroseconds(999) });
        Accept(Take("job-1", UsePurpose.Read) with { Duration = TimeSpan.FromMicroseconds(1999) });
        Assert.Equal(TimeSpan.FromMilliseconds(1), State.Leases[1].Duration);
        _journal.Crash();
    }

    [Fact]
    public void Nonsense_is_refused()
    {
        Refuse(RefusalKind.Invalid, Take("", UsePurpose.Read));
        Refuse(RefusalKind.Invalid, Take("x", UsePurpose.Read) with { Duration = TimeSpan.Zero });
        Refuse(RefusalKind.Invalid, Take("x", UsePurpose.Read) with { Duration = TimeSpan.FromDays(2) });
        Refuse(RefusalKind.Stale, new EndUse(Image, _now, 1));
        Refuse(RefusalKind.Stale, new RenewUse(Image, _now, 0));
        Lease lease = Granted("job-1", UsePurpose.Fill);
        Refuse(RefusalKind.Invalid, Take("job-2", UsePurpose.Read) with { Image = Overlay });
        Refuse(RefusalKind.Invalid, new StartFill(Image, _now, lease.Token, Layout(0)));
        Refuse(RefusalKind.Invalid, new StartFill(Image, _now, lease.Token, Layout(1) with { RoomAlignment = 3 }));
        Refuse(RefusalKind.Invalid, new StartFill(Image, _now, lease.Token, Layout(1) with { RoomEnd = 1 }));
        Refuse(RefusalKind.Conflict, new GrantRoom(Image, _now, lease.Token, 1, 0, 512, 512));
        Accept(new EndUse(Image, _now, lease.Token));
        Lease read = Granted("job-1", UsePurpose.Read);
        Refuse(RefusalKind.Invalid, new StartFill(Image, _now, read.Token, Layout(1)));
    }

    /// <summary>One assignment that asks for room again and again, as a single machine does: time must not grow with the square of it.</summary>
    [Fact]
    public void Thousands_of_rooms_of_one_assignment()
    {
        const int Rooms = 5000;
        ImageState state = ImageState.New;
        void Do(ImageCommand command)
        {
            Decision<ImageEvent> decision = ImageRecord.Decide(state, command);
            Assert.Null(decision.Refusal);
            state = decision.Events.Aggregate(state, ImageRecord.Apply);
        }

        Do(Take("job-1", UsePurpose.Fill));
        Do(new StartFill(Image, _now, 1, Layout(Rooms)));
        for (int i = 0; i < Rooms; i++)
        {
            Do(new GrantRoom(Image, _now, 1, 7, i, 512, 512));
            Do(Publish(1, 7, i, (1024 + i * 512L, i % 2 == 0 ? 512 : 100)));
        }

        Do(new CloseRoom(Image, _now, 1, 7, ImmutableSortedDictionary<int, long>.Empty));
        Assert.Equal(Rooms / 2, state.Fill!.Free.Count);
        Do(new FinishTarget(Image, _now, 1, ""));
    }

    private static FillLayout Layout(long shards) => new() { Shards = shards, RoomStart = 1000, RoomAlignment = 256 };

    private TakeUse Take(string holder, UsePurpose purpose) => new(Image, _now, holder, purpose, Minute, "", []);

    private Lease Granted(string holder, UsePurpose purpose)
    {
        Accept(Take(holder, purpose));
        return ImageRecord.FindUse(State, holder, purpose)!;
    }

    private long StartFilling(string holder, long shards)
    {
        long token = Granted(holder, UsePurpose.Fill).Token;
        Accept(new StartFill(Image, _now, token, Layout(shards)));
        return token;
    }

    private (long Start, long Length, bool Dirty) Room(long token, long assignment, int request, long wanted, long atLeast)
    {
        Accept(new GrantRoom(Image, _now, token, assignment, request, wanted, atLeast));
        RoomGrant room = ImageRecord.FindRoom(State, assignment, request)!;
        return (room.Start, room.Length, room.Dirty);
    }

    private PublishShards Publish(long token, long assignment, long shard, params (long Start, long Length)[] rooms) =>
        new(Image, _now, token, assignment, [new ShardManifest(shard, [], [.. rooms.Select(room => new RoomExtent(room.Start, room.Length))], 0)]);

    private CloseRoom Close(long token, long assignment, params (int Request, long From)[] clean) =>
        new(Image, _now, token, assignment, clean.ToImmutableSortedDictionary(pair => pair.Request, pair => pair.From));

    private void Accept(ImageCommand command) => Assert.Null(_journal.Take(ImageRecord.Decide(State, command)));

    private Refusal Refuse(RefusalKind kind, ImageCommand command)
    {
        Refusal refusal = Assert.IsType<Refusal>(_journal.Take(ImageRecord.Decide(State, command)));
        Assert.Equal(kind, refusal.Kind);
        Assert.DoesNotContain('\n', refusal.Message);
        return refusal;
    }
}
