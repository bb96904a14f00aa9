using ImageCluster.Cluster.Messages;

namespace ImageCluster.Cluster.Scheduling;

/// <summary>How much of what several jobs share is in use: roots, and limits by name.</summary>
/// <param name="rootLimits">Tasks at a time that touch a root, by its name.</param>
internal sealed class SharedLimits(IReadOnlyDictionary<string, int> rootLimits)
{
    private readonly Dictionary<string, long> _roots = new(StringComparer.Ordinal);
    private readonly Dictionary<string, long> _named = new(StringComparer.Ordinal);

    /// <summary>Counts tasks of a job; a negative number takes them back.</summary>
    public void Add(WorkOffered job, long tasks)
    {
        if (tasks == 0)
        {
            return;
        }

        foreach (string root in job.Roots)
        {
            if (rootLimits.ContainsKey(root))
            {
                _roots[root] = _roots.GetValueOrDefault(root) + tasks;
            }
        }

        foreach (string limit in job.Limits.Keys)
        {
            Count(limit, tasks);
        }
    }

    /// <summary>True where one more task would break no limit.</summary>
    public bool Allow(WorkLane lane)
    {
        foreach (string root in lane.Roots)
        {
            if (rootLimits.TryGetValue(root, out int limit) && _roots.GetValueOrDefault(root) >= limit)
            {
                return false;
            }
        }

        foreach ((string name, int limit) in lane.Limits)
        {
            if (_named.GetValueOrDefault(name) >= limit)
            {
                return false;
            }
        }

        return true;
    }

    private void Count(string limit, long tasks)
    {
        long left = _named.GetValueOrDefault(limit) + tasks;
        if (left == 0)
        {
            _named.Remove(limit);
        }
        else
        {
            _named[limit] = left;
        }
    }
}
