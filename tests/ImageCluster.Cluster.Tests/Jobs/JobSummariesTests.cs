using ImageCluster.Cluster.Jobs;
using ImageCluster.Jobs;
using ImageCluster.Jobs.Execution;

namespace ImageCluster.Cluster.Tests.Jobs;

public sealed class JobSummariesTests
{
    [Fact]
    public void What_a_job_waited_for_is_no_reason_of_its_end()
    {
        var running = new JobState
        {
            Id = "j",
            Spec = new CompareSpec { First = new ImageName("in", "a"), Second = new ImageName("in", "b") },
        };
        Assert.Equal("waits", JobSummaries.Of(running, "waits").Reason);
        JobState done = running with { HasEnded = true, End = new JobEnd(JobOutcome.Succeeded, "", default) };
        Assert.Equal("", JobSummaries.Of(done, "waits").Reason);
        Assert.Equal("full", JobSummaries.Of(done with { End = new JobEnd(JobOutcome.Failed, "full", default) }, "waits").Reason);
    }
}
