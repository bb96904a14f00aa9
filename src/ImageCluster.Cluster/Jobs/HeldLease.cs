using ImageCluster.Jobs;
using ImageCluster.Jobs.Execution;

namespace ImageCluster.Cluster.Jobs;

/// <summary>A lease of the job, and until when the job counts on it, by its own clock.</summary>
internal sealed record HeldLease(JobUse Use, Instant Until)
{
    // Clocks of two nodes do not run alike; they differ by far less than a fiftieth.
    private const int Margin = 50;

    /// <param name="askedAt">When it was asked for: the one who granted it began to count later.</param>
    public static Instant UntilOf(Instant askedAt, TimeSpan remaining) => askedAt + (remaining - remaining / Margin);
}
