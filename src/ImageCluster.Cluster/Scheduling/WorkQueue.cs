using System.Collections.Immutable;
using ImageCluster.Cluster.Messages;

namespace ImageCluster.Cluster.Scheduling;

/// <summary>
/// Who gets the next task: among the jobs of the highest priority that a free worker can serve, the one with the fewest tasks in work, and
/// of equals the one that was served longest ago. A job whose roots are busy or out of the workers' reach holds nobody up.
/// </summary>
/// <param name="rootLimits">Tasks at a time that touch a root, by its name; no limit for one that is not named.</param>
/// <param name="time">Tells when a gift that nothing was heard of no longer counts.</param>
public sealed class WorkQueue(IReadOnlyDictionary<string, int> rootLimits, TimeProvider time)
{
    /// <summary>A gift of which the job says nothing for so long was lost on the way.</summary>
    public static readonly TimeSpan GiftTimeout = TimeSpan.FromSeconds(10);

    private readonly SortedDictionary<string, Job> _jobs = new(StringComparer.Ordinal);
    private readonly SortedDictionary<string, Worker> _workers = new(StringComparer.Ordinal);
    private long _turn;

    public void Offer(WorkOffered offer)
    {
        if (!_jobs.TryGetValue(offer.JobId, out Job? job))
        {
            _jobs.Add(offer.JobId, job = new Job { Offer = offer });
        }

        job.Offer = offer;
        job.LastGift = Math.Max(job.LastGift, offer.LastGiven);
    }

    public void Want(WorkWanted wanted) => _workers[wanted.Worker] = new Worker { Roots = wanted.Roots, Slots = wanted.Slots, Free = wanted.FreeSlots };

    public void ForgetJob(string jobId) => _jobs.Remove(jobId);

    public void ForgetWorker(string worker) => _workers.Remove(worker);

    /// <summary>What is known of workers and jobs.</summary>
    /// <param name="addressOf">Where a worker's node is.</param>
    public QueueDescription Describe(Func<string, string> addressOf) => new(
        [.. _workers.Select(pair => new WorkerDescription(pair.Key, addressOf(pair.Key), pair.Value.Slots, pair.Value.Free, pair.Value.Roots))],
        _jobs.Count,
        _jobs.Values.Sum(job => Math.Max(0, job.Offer.Waiting - OnTheWay(job))),
        _jobs.Values.Sum(InWork));

    /// <summary>The next gift, which counts as given from now on; null where nothing fits together.</summary>
    public GiveWork? Next()
    {
        Dictionary<string, long> busy = BusyRoots();
        foreach ((string id, Worker worker) in _workers.Where(pair => pair.Value.Free > 0).OrderByDescending(pair => pair.Value.Free))
        {
            Job? best = null;
            foreach (Job job in _jobs.Values)
            {
                if (Fits(job, worker, busy) && (best is null || IsBefore(job, best)))
                {
                    best = job;
                }
            }

            if (best is not null)
            {
                worker.Free--;
                best.LastGift++;
                best.GivenAt = time.GetTimestamp();
                best.Turn = ++_turn;
                return new GiveWork(best.Offer.JobId, id, best.LastGift);
            }
        }

        return null;
    }

    private bool Fits(Job job, Worker worker, Dictionary<string, long> busy) =>
        job.Offer.Waiting > OnTheWay(job) &&
        job.Offer.Roots.IsSubsetOf(worker.Roots) &&
        job.Offer.Roots.All(root => !rootLimits.TryGetValue(root, out int limit) || busy.GetValueOrDefault(root) < limit);

    private bool IsBefore(Job job, Job other) =>
        job.Offer.Priority != other.Offer.Priority ? job.Offer.Priority > other.Offer.Priority
        : InWork(job) != InWork(other) ? InWork(job) < InWork(other)
        : job.Turn < other.Turn;

    private Dictionary<string, long> BusyRoots()
    {
        var busy = new Dictionary<string, long>(StringComparer.Ordinal);
        if (rootLimits.Count > 0)
        {
            foreach (Job job in _jobs.Values)
            {
                foreach (string root in job.Offer.Roots)
                {
                    busy[root] = busy.GetValueOrDefault(root) + InWork(job);
                }
            }
        }

        return busy;
    }

    private long InWork(Job job) => job.Offer.InWork + OnTheWay(job);

    private long OnTheWay(Job job) =>
        time.GetElapsedTime(job.GivenAt) < GiftTimeout ? job.LastGift - job.Offer.LastGiven : 0;

    private sealed class Job
    {
        public required WorkOffered Offer { get; set; }

        public long LastGift { get; set; }

        /// <summary>Timestamp of the last gift.</summary>
        public long GivenAt { get; set; }

        public long Turn { get; set; }
    }

    private sealed class Worker
    {
        public required ImmutableSortedSet<string> Roots { get; init; }

        public int Slots { get; init; }

        public int Free { get; set; }
    }
}
