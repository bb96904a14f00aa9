using ImageCluster.Cluster.Messages;
using ImageCluster.Cluster.Scheduling;
using ImageCluster.Cluster.Tests.Support;

namespace ImageCluster.Cluster.Tests.Scheduling;

public class WorkQueueTests
{
    private readonly ManualTime _time = new();

    [Fact]
    public void Priority_comes_first_then_the_job_with_the_fewest_tasks_in_work_then_the_one_served_longest_ago()
    {
        WorkQueue queue = Queue();
        queue.Offer(new WorkOffered("low", 10, 100, 0, ["kvm"], 0));
        queue.Offer(new WorkOffered("a", 50, 4, 2, ["kvm"], 0));
        queue.Offer(new WorkOffered("b", 50, 4, 0, ["kvm"], 0));
        queue.Want(new WorkWanted("w", 10, ["kvm"]));
        Assert.Equal(["b", "b", "a", "b", "a", "b", "a", "a", "low", "low"], Drain(queue).Select(gift => gift.JobId));
        Assert.Null(queue.Next());
    }

    [Fact]
    public void Work_goes_only_to_workers_that_reach_all_its_roots_and_holds_nobody_else_up()
    {
        WorkQueue queue = Queue();
        queue.Offer(new WorkOffered("far", 90, 5, 0, ["kvm", "vmware"], 0));
        queue.Offer(new WorkOffered("near", 10, 5, 0, ["kvm"], 0));
        queue.Want(new WorkWanted("kvm-only", 1, ["kvm"]));
        Assert.Equal(new GiveWork("near", "kvm-only", 1) { Share = 1 }, Assert.Single(Drain(queue)));
        queue.Want(new WorkWanted("both", 1, ["kvm", "vmware"]));
        Assert.Equal(new GiveWork("far", "both", 1) { Share = 1 }, Assert.Single(Drain(queue)));
    }

    [Fact]
    public void The_limit_of_a_root_counts_over_all_jobs()
    {
        WorkQueue queue = Queue(("nas", 3));
        queue.Offer(new WorkOffered("a", 50, 9, 1, ["nas", "x"], 0));
        queue.Offer(new WorkOffered("b", 50, 9, 0, ["nas"], 0));
        queue.Offer(new WorkOffered("c", 10, 1, 0, ["x"], 0));
        queue.Want(new WorkWanted("w", 9, ["nas", "x"]));
        Assert.Equal(["a", "b", "c"], Drain(queue).Select(gift => gift.JobId).Order());
        queue.Offer(new WorkOffered("a", 50, 9, 0, ["nas", "x"], 0));
        Assert.Equal("b", Assert.Single(Drain(queue)).JobId);
    }

    [Fact]
    public void A_gift_counts_until_the_job_has_it_in_its_own_numbers()
    {
        WorkQueue queue = Queue();
        queue.Offer(new WorkOffered("a", 50, 1, 0, ["kvm"], 0));
        queue.Want(new WorkWanted("w", 5, ["kvm"]));
        Assert.Single(Drain(queue));
        // Said before the gift arrived: the same task must not go out twice.
        queue.Offer(new WorkOffered("a", 50, 1, 0, ["kvm"], 0));
        Assert.Null(queue.Next());
        queue.Offer(new WorkOffered("a", 50, 1, 1, ["kvm"], 1));
        Assert.Equal(2, Assert.Single(Drain(queue)).Number);
    }

    [Fact]
    public void A_gift_that_was_lost_is_given_again()
    {
        WorkQueue queue = Queue();
        queue.Offer(new WorkOffered("a", 50, 1, 0, ["kvm"], 0));
        queue.Want(new WorkWanted("w", 5, ["kvm"]));
        Assert.Single(Drain(queue));
        _time.Advance(WorkQueue.GiftTimeout);
        Assert.Single(Drain(queue));
    }

    [Fact]
    public void A_gift_says_how_many_tasks_a_job_can_count_on_by_the_slots_that_reach_it_and_the_jobs_that_wait()
    {
        WorkQueue queue = Queue();
        queue.Want(new WorkWanted("a", 3, ["kvm"]) { Slots = 16 });
        queue.Want(new WorkWanted("b", 0, ["kvm", "vmware"]) { Slots = 4 });
        queue.Want(new WorkWanted("c", 0, ["vmware"]) { Slots = 100 });
        queue.Offer(new WorkOffered("first", 90, 1, 0, ["kvm"], 0));
        queue.Offer(new WorkOffered("second", 50, 9, 0, ["kvm"], 0));
        queue.Offer(new WorkOffered("third", 50, 9, 0, ["vmware"], 0));
        queue.Offer(new WorkOffered("later", 10, 9, 0, ["kvm"], 0));
        // The first stands alone before the others; when it waits no more, two share 20 slots.
        Assert.Equal([("first", 20), ("second", 10), ("second", 10)], Drain(queue).Select(gift => (gift.JobId, gift.Share)));
        queue.Offer(new WorkOffered("third", 50, 0, 0, ["vmware"], 0));
        queue.Want(new WorkWanted("b", 0, ["kvm"]) { Slots = 5 });
        queue.Want(new WorkWanted("a", 1, ["kvm"]) { Slots = 16 });
        Assert.Equal(21, Assert.Single(Drain(queue)).Share);
        queue.ForgetWorker("b");
        queue.Want(new WorkWanted("a", 1, ["kvm"]) { Slots = 16 });
        Assert.Equal(16, Assert.Single(Drain(queue)).Share);
    }

    [Fact]
    public void Those_that_are_gone_get_nothing()
    {
        WorkQueue queue = Queue();
        queue.Offer(new WorkOffered("a", 50, 1, 0, ["kvm"], 0));
        queue.Want(new WorkWanted("w", 5, ["kvm"]));
        queue.ForgetWorker("w");
        Assert.Null(queue.Next());
        queue.Want(new WorkWanted("w", 5, ["kvm"]));
        queue.ForgetJob("a");
        Assert.Null(queue.Next());
    }

    private WorkQueue Queue(params (string Root, int Limit)[] limits) => new(limits.ToDictionary(limit => limit.Root, limit => limit.Limit), _time);

    private static List<GiveWork> Drain(WorkQueue queue)
    {
        var gifts = new List<GiveWork>();
        while (queue.Next() is { } gift)
        {
            gifts.Add(gift);
        }

        return gifts;
    }
}
