using System.Collections.Immutable;
using CsCheck;
using ImageCluster.Imaging.Formats.Filling;
using ImageCluster.Jobs.Images;

namespace ImageCluster.Jobs.Tests.Images;

/// <summary>
/// Any sequence of commands, of crashes of the record's keeper (after which its clock may be another) and of time that passes. Holders
/// of leases and their workers count time by themselves, from when they were answered, as they do in a cluster.
/// </summary>
public class ImageRecordProperties
{
    [Fact]
    public void The_use_rule_holds_tokens_rise_and_no_room_is_given_twice() =>
        Gen.Select(Gen.Int[0, 39], Gen.Int[0, 1000], Gen.Int[0, 1000]).Array[1, 200].Sample(steps =>
        {
            var world = new World();
            foreach ((int step, int a, int b) in steps)
            {
                world.Step(step, a, b);
                world.CheckInvariants();
            }

            world.Journal.Crash();
        }, iter: 1000);

    private sealed class World
    {
        private static readonly ImageName Image = new("kvm", "a.qcow2");
        private static readonly string[] Holders = ["job-1", "job-2", "admin"];
        private static readonly UsePurpose[] Purposes =
            [UsePurpose.Fill, UsePurpose.Fill, UsePurpose.Fill, UsePurpose.Read, UsePurpose.Read, UsePurpose.Commit, UsePurpose.Resize, UsePurpose.Rebase];

        private const long Shards = 3;
        private const long Unit = 64;

        /// <summary>Until when, in true time, the holder of a token believes that it may use the image.</summary>
        private readonly Dictionary<long, (Lease Lease, long Until)> _holders = [];

        /// <summary>By assignment: until when its worker believes that it may write, and its rooms.</summary>
        private readonly Dictionary<long, Writer> _writers = [];

        private readonly List<(long Start, long End)> _published = [];
        private long _trueTime = 1_000_000;
        private long _clock;
        private long _lastToken;
        private RangeSet _publishedShards = RangeSet.Empty;

        public Journal<ImageState, ImageEvent> Journal { get; } = new(ImageState.New, ImageRecord.Apply);

        private ImageState State => Journal.State;

        private Instant Now => new(_trueTime + _clock);

        public void Step(int step, int a, int b)
        {
            switch (step)
            {
                case < 4:
                    Take(Holders[a % Holders.Length], Purposes[b % Purposes.Length], 20 + a % 200);
                    break;
                case < 8:
                    Renew(Token(a));
                    break;
                case 8:
                    End(Token(a));
                    break;
                case 9:
                    Do(new ExpireUses(Image, Now));
                    break;
                case 10 when b % 3 == 0:
                    Do(new RevokeUse(Image, Now, Token(a), "op", "stuck"));
                    break;
                case < 14:
                    Do(new StartFill(Image, Now, Token(a), Layout));
                    break;
                case < 22:
                    GrantRoom(a, b);
                    break;
                case < 29:
                    Publish(a, b);
                    break;
                case < 32:
                    Close(a % 5, lost: b % 2 == 0, b);
                    break;
                case 32 or 33:
                    Finish(a, b);
                    break;
                case 34 when b % 2 == 0:
                    Crash(b);
                    break;
                case 35 when State.Name is not null:
                    Journal.Shorten();
                    break;
                default:
                    _trueTime += a % 30;
                    Dependent(b);
                    break;
            }
        }

        private static FillLayout Layout => new() { Shards = Shards, RoomStart = 100, RoomAlignment = Unit };

        public void CheckInvariants()
        {
            Assert.True(State.Modifier is null || State.Leases.Count == 1, "a modifier beside another in the record");
            Lease[] live = [.. _holders.Values.Where(holder => holder.Until > _trueTime).Select(holder => holder.Lease)];
            Assert.True(live.Length <= 1 || live.All(lease => !lease.IsExclusive), "a modifier beside another in the world");
            Assert.True(State.LastToken >= _lastToken);
            Assert.All(State.Leases.Values, lease => Assert.True(lease.Token <= State.LastToken));
            _lastToken = State.LastToken;
            if (State.Fill is not { } fill)
            {
                return;
            }

            Assert.Equal(_publishedShards, fill.Published);
            (long Start, long End)[] rooms =
            [
                .. fill.Open.Values.SelectMany(open => open.Grants.Values).Select(grant => (grant.Start, grant.End)),
                .. fill.Free.Values.Select(free => (free.Start, free.End)),
            ];
            Array.Sort(rooms);
            Assert.All(rooms.Zip(rooms.Skip(1)), pair => Assert.True(pair.First.End <= pair.Second.Start, "rooms overlap"));
            Assert.All(rooms, room => Assert.True(room.Start >= fill.Layout.RoomStart && room.End <= fill.HighWater));
            Assert.All(fill.Free.Values, free => Assert.DoesNotContain(_published, used => used.Start < free.End && free.Start < used.End));
        }

        private void Take(string holder, UsePurpose purpose, int duration)
        {
            ImageName[] via = purpose == UsePurpose.Commit ? [Overlay] : [];
            FillState? before = State.Fill;
            if (Do(new TakeUse(Image, Now, holder, purpose, TimeSpan.FromMilliseconds(duration), "", [.. via])))
            {
                Believe(ImageRecord.FindUse(State, holder, purpose)!);
                if (before is not null && State.Fill is null)
                {
                    NewFill();
                }
            }
        }

        private void Renew(long token)
        {
            if (Do(new RenewUse(Image, Now, token)))
            {
                Believe(State.Leases[token]);
            }
        }

        private void End(long token)
        {
            // Whoever gives a lease back has stopped before.
            (Lease Lease, long Until) before = _holders.GetValueOrDefault(token);
            _holders.Remove(token);
            bool done = _trueTime % 2 == 0
                ? Do(new EndUse(Image, Now, token))
                : Do(new EndChange(Image, Now, token, Succeeded: true, ""));
            if (!done && before.Lease is not null)
            {
                _holders[token] = before;
            }
        }

        private void Believe(Lease lease) => _holders[lease.Token] = (lease, _trueTime + (long)(lease.Deadline - Now).TotalMilliseconds);

        private void GrantRoom(int a, int b)
        {
            (long assignment, int request, long token) = (a % 5, b % 3, Token(a));
            if (!Do(new GrantRoom(Image, Now, token, assignment, request, 1 + b % 500, 1 + b % 100)))
            {
                return;
            }

            // The worker may write until its job's lease ends, by its own count.
            RoomGrant room = ImageRecord.FindRoom(State, assignment, request)!;
            Lease lease = State.Leases[token];
            Writer writer = _writers.GetValueOrDefault(assignment) ?? new Writer();
            bool isNew = writer.Rooms.TryAdd(request, room);
            writer.Until = Math.Max(writer.Until, _trueTime + (long)(lease.Deadline - Now).TotalMilliseconds);
            _writers[assignment] = writer;
            Assert.Equal(writer.Rooms[request], room);
            if (!isNew)
            {
                return;
            }

            if (room.Dirty)
            {
                // Its worker makes it read as zeros first.
                foreach (Writer other in _writers.Values)
                {
                    other.Written = other.Written.Remove(room.Start, room.End);
                }
            }

            Assert.Equal(0, room.Start % Unit);
            Assert.DoesNotContain(_published, used => used.Start < room.End && room.Start < used.End);
            foreach ((long other, Writer busy) in _writers)
            {
                bool overlaps = busy.Rooms.Values.Any(theirs => !ReferenceEquals(theirs, room) && theirs.Start < room.End && room.Start < theirs.End);
                Assert.False(overlaps && (!busy.Closed || (busy.Until > _trueTime && !busy.Stopped)), $"assignments {other} and {assignment} write to one room");
                Assert.False(overlaps && !room.Dirty && busy.WroteTo(room), "room that was written to is given out as clean");
            }
        }

        private void Publish(int a, int b)
        {
            long assignment = a % 5;
            Writer? writer = _writers.GetValueOrDefault(assignment);
            ImmutableList<RoomExtent>.Builder extents = ImmutableList.CreateBuilder<RoomExtent>();
            if (writer is not null && writer.Rooms.Count > 0)
            {
                RoomGrant room = writer.Rooms.Values.ElementAt(b % writer.Rooms.Count);
                long start = room.Start + b % (int)room.Length;
                extents.Add(new RoomExtent(start, Math.Min(1 + a % 70, room.End - start)));
                writer.Written = writer.Closed ? writer.Written : writer.Written.Add(start, start + extents[0].Length);
            }

            if (b % 11 == 0)
            {
                extents.Add(new RoomExtent(a, 1 + b));
            }

            RangeSet before = State.Fill?.Published ?? RangeSet.Empty;
            var manifest = new ShardManifest(b % (Shards + (a % 40 == 0 ? 1 : 0)), [], extents, 0);
            if (Do(new PublishShards(Image, Now, Token(a), assignment, [manifest])) && !before.Contains(manifest.Shard))
            {
                foreach (RoomExtent extent in extents)
                {
                    Assert.DoesNotContain(_published, used => used.Start < extent.Start + extent.Length && extent.Start < used.End);
                    _published.Add((extent.Start, extent.Start + extent.Length));
                }

                _publishedShards = _publishedShards.Add(manifest.Shard);
            }
        }

        private void Close(long assignment, bool lost, int b)
        {
            Writer? writer = _writers.GetValueOrDefault(assignment);
            if (lost && writer is { Stopped: false } && writer.Until > _trueTime)
            {
                // Its job waits until nothing of it writes any more.
                return;
            }

            var cleanFrom = ImmutableSortedDictionary<int, long>.Empty;
            foreach ((int request, RoomGrant room) in lost || writer is null ? [] : writer.Rooms)
            {
                cleanFrom = cleanFrom.Add(request, writer!.Written.Where(used => used.Start < room.End && room.Start < used.End)
                    .Select(used => used.End).DefaultIfEmpty(room.Start + b % 3).Max());
            }

            if (lost && writer is not null)
            {
                // Nobody knows what it wrote.
                writer.Written = writer.Closed ? writer.Written : writer.Rooms.Values.Aggregate(writer.Written, (set, room) => set.Add(room.Start, room.End));
            }

            if (Do(new CloseRoom(Image, Now, Token(b), assignment, cleanFrom)) && writer is not null && !writer.Closed)
            {
                writer.Closed = true;
                writer.Stopped = !lost;
            }
        }

        private void Finish(int a, int b)
        {
            if (b % 5 == 0)
            {
                if (Do(new AbandonFill(Image, Now, Token(a))) && State.Fill is null)
                {
                    AssertQuiet();
                    NewFill();
                }
            }
            else if (State.Fill is not null && Do(new FinishTarget(Image, Now, Token(a), "sha256t:0")))
            {
                Assert.NotNull(State.Finished);
                Assert.Equal(Shards, _publishedShards.Count);
                AssertQuiet();
                NewFill();
            }
        }

        private void Crash(int jump)
        {
            Journal.Crash();
            _clock += (jump % 5) switch { 0 => -40, 1 => 40, 2 => 1000, _ => 0 };
            Do(new RestartUses(Image, Now));
        }

        private void Dependent(int b)
        {
            if (b % 6 == 0 && b % 12 < 8)
            {
                Do(b % 24 == 0 ? new AddDependent(Image, Now, Overlay) : new RemoveDependent(Image, Now, Overlay));
            }
        }

        private static ImageName Overlay { get; } = new("kvm", "overlay.qcow2");

        private void AssertQuiet() => Assert.DoesNotContain(_writers.Values, writer => !writer.Stopped && writer.Until > _trueTime);

        private void NewFill()
        {
            _writers.Clear();
            _published.Clear();
            _publishedShards = RangeSet.Empty;
        }

        // Mostly one that is held, sometimes one that never was or is no more.
        private long Token(int a) => a % 9 == 0 || State.Leases.IsEmpty ? a % 12 : State.Leases.Keys.ElementAt(a % State.Leases.Count);

        private bool Do(ImageCommand command) => Journal.Take(ImageRecord.Decide(State, command)) is null;

        private sealed class Writer
        {
            public Dictionary<int, RoomGrant> Rooms { get; } = [];

            public RangeSet Written { get; set; } = RangeSet.Empty;

            public long Until { get; set; }

            public bool Closed { get; set; }

            public bool Stopped { get; set; }

            public bool WroteTo(RoomGrant room) => Written.Overlaps(room.Start, room.End);
        }
    }
}
