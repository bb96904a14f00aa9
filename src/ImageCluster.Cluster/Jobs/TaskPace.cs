using ImageCluster.Jobs.Execution;

namespace ImageCluster.Cluster.Jobs;

/// <summary>
/// How many shards a task has: what a worker does in a few seconds, by how long shards took so far. So small shards cost few messages and few
/// writes to the journal, and large ones are not lost in numbers with a worker.
/// </summary>
internal sealed class TaskPace(TimeSpan taskTime, int maxShards)
{
    private double? _secondsAShard;

    /// <summary>An assignment was completed.</summary>
    public void Note(TimeSpan time, long shards)
    {
        double seconds = Math.Max(time.TotalSeconds, 0.001) / Math.Max(1, shards);
        _secondsAShard = _secondsAShard is { } known ? known * 0.7 + seconds * 0.3 : seconds;
    }

    /// <summary>A new step takes another time.</summary>
    public void Forget() => _secondsAShard = null;

    /// <summary>Shards of the next task; the last of a step come in smaller ones, so that all workers end at about one time.</summary>
    public int Shards(JobState state)
    {
        double fitting = _secondsAShard is { } seconds ? taskTime.TotalSeconds / seconds : 1;
        long fair = Math.Max(1, state.Pending.Count / 8);
        return (int)Math.Clamp(Math.Min(fitting, fair), 1, maxShards);
    }
}
