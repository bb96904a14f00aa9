using ImageCluster.Cluster.Working;
using ImageCluster.Jobs.Images;

namespace ImageCluster.Cluster.Tests.Working;

public class GrantedRoomTests
{
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
}
