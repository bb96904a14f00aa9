using ImageCluster.Jobs.Execution;

namespace ImageCluster.Cluster.Jobs;

/// <summary>
/// How many shards a task has: what a worker does in a few seconds, by how long shards took so far. So small shards cost few messages and few
/// writes to the journal, and large ones are not lost in numbers with a worker.
/// </summary>
internal sealed class TaskPace(TimeSpan taskTime, int maxShards)
{
    // Before the scheduler has said how many tasks the job can have at a time.
    private const int UnknownShare = 4;

    // The part of a task's time below which smaller tasks cost more than they gain.
    private const double LeastPart = 0.02;

    private double? _secondsAShard;
    private int _share = UnknownShare;

    /// <summary>An assignment was completed.</summary>
    public void Note(TimeSpan time, long shards)
    {
        double seconds = Math.Max(time.TotalSeconds, 0.001) / Math.Max(1, shards);
        _secondsAShard = _secondsAShard is { } known ? known * 0.7 + seconds * 0.3 : seconds;
    }

    /// <summary>The scheduler said how many tasks the job can have at a time; 0 where it did not.</summary>
    public void NoteShare(int share) => _share = share > 0 ? share : UnknownShare;

    /// <summary>A new step takes another time.</summary>
    public void Forget() => _secondsAShard = null;

    /// <summary>
    /// Shards of the next task. Each takes half of the worker's part of what waits, so that all workers end at about one time.
    /// </summary>
    public int Shards(JobState state)
    {
        if (_secondsAShard is not { } seconds)
        {
            return 1;
        }

        double fitting = taskTime.TotalSeconds / seconds;
        double fair = state.Pending.Count / 2.0 / _share;
        return (int)Math.Clamp(Math.Min(fitting, Math.Max(fair, fitting * LeastPart)), 1, maxShards);
    }
}
