using System.Collections.Immutable;

namespace ImageCluster.Cluster.Scheduling;

/// <summary>Jobs that have tasks to give, touch the same roots and share the same limits, in the order to serve them.</summary>
internal sealed class WorkLane(ImmutableSortedSet<string> roots, ImmutableSortedDictionary<string, int> limits)
{
    private readonly SortedSet<QueuedJob> _jobs = new(QueuedJob.Order);

    public ImmutableSortedSet<string> Roots => roots;

    public ImmutableSortedDictionary<string, int> Limits => limits;

    /// <summary>Of the workers that reach its roots; null where it has to be counted again.</summary>
    public long? Slots { get; set; }

    public QueuedJob? First => _jobs.Min;

    public void Add(QueuedJob job) => _jobs.Add(job);

    public bool Remove(QueuedJob job) => _jobs.Remove(job);
}
