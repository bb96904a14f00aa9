using CsCheck;
using ImageCluster.Jobs.Images;
using ImageCluster.Testing;
using ImageCluster.Work.Converting;

namespace ImageCluster.Work.Tests.Converting;

public sealed class GrantedRoomTests
{
    private static readonly Gen<(List<(int Length, int Alignment)> Requests, int Step, int Seed)> Cases =
        Gen.Select(Gen.Select(Gen.Int[1, 5000], Gen.OneOf(1, 512, 4096)).List[1, 60], Gen.Int[1, 20000], Gen.Int);

    [Fact]
    public void EveryByteLiesInAGrantAndInNoOtherReservation() => Cases.Holds(c =>
    {
        Random random = new(c.Seed);
        List<RoomGrant> grants = [];
        List<RoomGrant> cleaned = [];
        long next = 8192;
        GrantedRoom room = new(
            (_, wanted, atLeast) =>
            {
                Assert.InRange(atLeast, 1, wanted);
                // As the record does: what came back first, else behind all that was granted.
                next += random.Next(3) == 0 ? 4096 * random.Next(1, 9) : 0;
                long length = random.Next(4) == 0 ? atLeast : wanted;
                RoomGrant grant = new(grants.Count, next, length, Dirty: random.Next(3) == 0);
                next += length;
                grants.Add(grant);
                return grant;
            },
            cleaned.Add,
            c.Step);
        List<(long Start, long End)> taken = [];
        foreach ((int length, int alignment) in c.Requests)
        {
            long start = room.Reserve(length, alignment);
            Assert.Equal(0, start % alignment);
            Assert.DoesNotContain(taken, other => start < other.End && start + length > other.Start);
            Assert.True(Covered(grants, start, start + length), $"{start}+{length} lies outside the grants");
            Assert.True(room.HighWater >= start + length);
            taken.Add((start, start + length));
        }

        Assert.Equal(grants.Where(grant => grant.Dirty), cleaned);
        // Behind what is said to be clean nothing was reserved.
        Assert.Equal(Enumerable.Range(0, grants.Count), room.CleanFrom.Keys);
        Assert.All(grants.Where(grant => room.CleanFrom[grant.Request] < grant.End), grant => Assert.DoesNotContain(taken, part => part.Start < grant.End && part.End > Math.Max(grant.Start, room.CleanFrom[grant.Request])));
    }, cases: 300);

    [Fact]
    public void GrantsThatFollowEachOtherAreOneRoom()
    {
        long end = 0;
        GrantedRoom room = new((_, wanted, _) => new RoomGrant(0, (end += wanted) - wanted, wanted, false), _ => { }, step: 1000);
        Assert.Equal([0L, 700, 1400, 2100], Enumerable.Range(0, 4).Select(_ => room.Reserve(700, 1)));
    }

    [Fact]
    public void Room_is_taken_from_grants_only_and_what_is_left_of_each_is_known()
    {
        var requests = new List<(int Request, long Wanted, long AtLeast)>();
        var cleaned = new List<long>();
        long next = 1000;
        var room = new GrantedRoom(
            (request, wanted, atLeast) =>
            {
                requests.Add((request, wanted, atLeast));
                next += 24;
                var grant = new RoomGrant(request, next, wanted, Dirty: request == 1);
                next = grant.End;
                return grant;
            },
            grant => cleaned.Add(grant.Start),
            step: 256);
        long[] starts = [room.Reserve(64, 64), room.Reserve(100, 64), room.Reserve(64, 64), room.Reserve(300, 64)];
        Assert.Equal([1024, 1088, 1216, 1344], starts);
        Assert.Equal([(0, 256, 128), (1, 364, 364)], requests);
        Assert.Equal([1304], cleaned);
        Assert.Equal([(0, 1280), (1, 1644)], room.CleanFrom.Select(pair => (pair.Key, pair.Value)));
        Assert.Equal(1644, room.HighWater);
    }

    private static bool Covered(List<RoomGrant> grants, long start, long end)
    {
        foreach (RoomGrant grant in grants.OrderBy(grant => grant.Start))
        {
            start = grant.Start <= start ? Math.Max(start, grant.End) : start;
        }

        return start >= end;
    }
}
