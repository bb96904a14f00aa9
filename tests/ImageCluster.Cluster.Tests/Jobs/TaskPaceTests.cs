using ImageCluster.Cluster.Jobs;
using ImageCluster.Jobs;
using ImageCluster.Jobs.Execution;

namespace ImageCluster.Cluster.Tests.Jobs;

public class TaskPaceTests
{
    private readonly TaskPace _pace = new(TimeSpan.FromSeconds(5), maxShards: 256);

    [Fact]
    public void The_first_task_has_one_shard_since_nobody_knows_how_long_one_takes()
    {
        _pace.NoteShare(1);
        Assert.Equal(1, Shards(2048));
        _pace.Note(TimeSpan.FromSeconds(1), 10);
        Assert.Equal(50, Shards(2048));
        _pace.Forget();
        Assert.Equal(1, Shards(2048));
    }

    [Fact]
    public void Slow_shards_come_one_by_one_and_quick_ones_in_hundreds_at_most()
    {
        _pace.NoteShare(1);
        _pace.Note(TimeSpan.FromMinutes(1), 1);
        Assert.Equal(1, Shards(2048));
        _pace.Forget();
        _pace.Note(TimeSpan.FromMilliseconds(50), 1000);
        Assert.Equal(256, Shards(2048));
    }

    [Fact]
    public void A_task_has_half_of_what_a_worker_would_have_of_the_rest()
    {
        _pace.Note(TimeSpan.FromMilliseconds(50), 1);
        _pace.NoteShare(8);
        Assert.Equal(64, Shards(1024));
        Assert.Equal(16, Shards(256));
        _pace.NoteShare(64);
        Assert.Equal(8, Shards(1024));
        // Two shards are done in a tenth of a second: with less nobody is done sooner.
        Assert.Equal(2, Shards(100));
        Assert.Equal(2, Shards(1));
    }

    [Fact]
    public void Where_the_scheduler_does_not_say_it_a_job_counts_on_a_few_workers()
    {
        _pace.Note(TimeSpan.FromMilliseconds(50), 1);
        _pace.NoteShare(0);
        Assert.Equal(8, Shards(64));
    }

    private int Shards(long pending) => _pace.Shards(JobState.New with { Pending = RangeSet.Of(0, pending) });
}
