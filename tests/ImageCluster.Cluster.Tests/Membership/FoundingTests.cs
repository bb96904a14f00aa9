using Akka.Actor;
using ImageCluster.Cluster.Membership;

namespace ImageCluster.Cluster.Tests.Membership;

public class FoundingTests
{
    private static readonly TimeSpan Silence = TimeSpan.FromSeconds(10);
    private static readonly Address Second = new("akka.tcp", "imagecluster", "two", 4053);
    private static readonly Address Third = new("akka.tcp", "imagecluster", "three", 4053);

    [Fact]
    public void All_that_wait_are_enough_at_once()
    {
        var founding = new Founding([Second, Third], Silence);
        founding.Hear(Second, true, TimeSpan.FromSeconds(1), 1);
        founding.Hear(Third, true, TimeSpan.FromSeconds(1), 1);
        Assert.True(founding.MayFound(1, TimeSpan.FromSeconds(2)));
    }

    [Fact]
    public void Alone_it_forms_none_however_long_it_waits()
    {
        var founding = new Founding([Second, Third], Silence);
        Assert.Equal(2, founding.Needed);
        Assert.False(founding.MayFound(1_000_000, TimeSpan.FromDays(10)));
    }

    [Fact]
    public void A_majority_is_enough_when_the_others_were_silent_for_long()
    {
        var founding = new Founding([Second, Third], Silence);
        founding.Hear(Second, true, TimeSpan.FromSeconds(5), 5);
        Assert.False(founding.MayFound(5, TimeSpan.FromSeconds(9)));
        founding.Hear(Second, true, TimeSpan.FromSeconds(10), 10);
        Assert.True(founding.MayFound(10, TimeSpan.FromSeconds(10)));
    }

    [Fact]
    public void None_is_formed_beside_one_that_a_seed_is_in()
    {
        var founding = new Founding([Second, Third], Silence);
        founding.Hear(Second, true, TimeSpan.FromSeconds(30), 30);
        founding.Hear(Third, false, TimeSpan.FromSeconds(30), 30);
        Assert.False(founding.MayFound(30, TimeSpan.FromSeconds(31)));
        // A late answer is one all the same.
        founding.Hear(Second, true, TimeSpan.FromSeconds(35), 35);
        Assert.False(founding.MayFound(35, TimeSpan.FromSeconds(36)));
    }

    [Fact]
    public void Who_waited_in_an_earlier_round_may_have_found_a_cluster_since()
    {
        var founding = new Founding([Second], Silence);
        founding.Hear(Second, true, TimeSpan.FromSeconds(1), 1);
        Assert.False(founding.MayFound(2, TimeSpan.FromSeconds(2)));
    }
}
