using System.Diagnostics.Metrics;
using ImageCluster.Jobs.Execution;

namespace ImageCluster.Cluster.Measuring;

/// <summary>
/// What the cluster's work is measured by, on the node that does it: a coordinator counts the jobs that it keeps, a worker the shards that it does, so the cluster's
/// number is the sum over its nodes. Names are Prometheus', after the meter's own.
/// </summary>
public static class ClusterMeter
{
    /// <summary>Of the meter: before the names of all instruments.</summary>
    public const string Name = "imagecluster";

    private static readonly Meter Meter = new(Name);

    private static readonly UpDownCounter<long> Jobs = Meter.CreateUpDownCounter<long>(
        "jobs", "jobs", "Jobs that are not over and that this coordinator keeps, by state.");

    private static readonly Counter<long> Ended = Meter.CreateCounter<long>(
        "jobs_ended_total", "jobs", "Jobs that ended while this coordinator kept them, by operation and outcome.");

    private static readonly Counter<long> Shards = Meter.CreateCounter<long>(
        "shards_total", "shards", "Shards that this worker did or failed at, by step and outcome.");

    private static readonly Histogram<double> Seconds = Meter.CreateHistogram<double>(
        "shard_seconds", "s", "How long this worker took for a shard that was done, by step.");

    private static readonly Counter<long> Read = Meter.CreateCounter<long>(
        "read_bytes_total", "bytes", "Bytes that shards of this worker read from images.");

    private static readonly Counter<long> Written = Meter.CreateCounter<long>(
        "written_bytes_total", "bytes", "Bytes that shards of this worker wrote to images.");

    private static readonly Counter<long> Lost = Meter.CreateCounter<long>(
        "leases_lost_total", "leases", "Leases that were lost: of=assignment where this worker had to stop in the middle of a task, of=image where a job of this coordinator lost an image.");

    private static readonly Counter<long> Journal = Meter.CreateCounter<long>(
        "journal_failures_total", "failures", "Times that a record of this coordinator could not be read from the journal, written to it, or deleted from it, or its snapshot not stored.");

    /// <summary>A job came to a state, or left one.</summary>
    internal static void CountJob(string state, int by) => Jobs.Add(by, Tag("state", state));

    internal static void JobEnded(string operation, JobOutcome outcome) => Ended.Add(1, Tag("operation", operation), Tag("outcome", Word(outcome)));

    internal static void ShardDone(StageKind stage, TimeSpan took, ShardResult result)
    {
        Seconds.Record(took.TotalSeconds, Tag("stage", Word(stage)));
        Shards.Add(1, Tag("stage", Word(stage)), Tag("outcome", "done"));
        Read.Add(result.BytesRead);
        Written.Add(result.BytesWritten);
    }

    internal static void ShardFailed(StageKind stage) => Shards.Add(1, Tag("stage", Word(stage)), Tag("outcome", "failed"));

    internal static void AssignmentLost() => Lost.Add(1, Tag("of", "assignment"));

    internal static void ImageLost() => Lost.Add(1, Tag("of", "image"));

    /// <param name="record">"image", "job", "migration" or "directory".</param>
    /// <param name="what">"read", "write", "delete" or "snapshot".</param>
    internal static void JournalFailed(string record, string what) => Journal.Add(1, Tag("record", record), Tag("what", what));

    private static KeyValuePair<string, object?> Tag(string name, string value) => new(name, value);

    private static string Word<T>(T value)
        where T : struct, Enum => value.ToString().ToLowerInvariant();
}
