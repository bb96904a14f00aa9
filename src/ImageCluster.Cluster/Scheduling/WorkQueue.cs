using System.Collections.Immutable;
using ImageCluster.Cluster.Messages;

namespace ImageCluster.Cluster.Scheduling;

/// <summary>
/// Who gets the next task: among the jobs of the highest priority that a free worker can serve, the one with the fewest tasks in work, and
/// of equals the one that was served longest ago. A job whose roots are busy or out of the workers' reach holds nobody up.
/// <para>
/// Jobs that have something to give are kept in that order, in a lane for each set of roots and limits; a gift looks at the first of each lane, so that
/// thousands of jobs cost no more than a few.
/// </para>
/// </summary>
/// <param name="rootLimits">Tasks at a time that touch a root, by its name; no limit for one that is not named.</param>
/// <param name="time">Tells when a gift that nothing was heard of no longer counts.</param>
public sealed class WorkQueue(IReadOnlyDictionary<string, int> rootLimits, TimeProvider time)
{
    /// <summary>A gift of which the job says nothing for so long was lost on the way.</summary>
    public static readonly TimeSpan GiftTimeout = TimeSpan.FromSeconds(10);

    private readonly Dictionary<string, QueuedJob> _jobs = new(StringComparer.Ordinal);
    private readonly Dictionary<string, QueuedWorker> _workers = new(StringComparer.Ordinal);
    private readonly Dictionary<string, WorkLane> _lanes = new(StringComparer.Ordinal);
    private readonly SharedLimits _limits = new(rootLimits);

    // Jobs in lanes, by priority.
    private readonly Dictionary<int, long> _waiting = [];

    // Jobs in the order of their last gifts: the first to count theirs as lost.
    private readonly Queue<(QueuedJob Job, long GivenAt)> _gifts = new();
    private long _turn;

    public void Offer(WorkOffered offer)
    {
        Forgive();
        if (_jobs.TryGetValue(offer.JobId, out QueuedJob? job))
        {
            Take(job);
        }
        else if (offer is { Waiting: 0, InWork: 0 })
        {
            return;
        }
        else
        {
            _jobs.Add(offer.JobId, job = new QueuedJob());
        }

        job.Heard(offer);
        if (offer is { Waiting: 0, InWork: 0 } && job.OnTheWay == 0)
        {
            _jobs.Remove(offer.JobId);
            return;
        }

        Put(job);
    }

    public void Want(WorkWanted wanted)
    {
        bool isKnown = _workers.TryGetValue(wanted.Worker, out QueuedWorker? known) && known.Slots == wanted.Slots && known.Roots.SetEquals(wanted.Roots);
        _workers[wanted.Worker] = new QueuedWorker { Id = wanted.Worker, Roots = wanted.Roots, Slots = wanted.Slots, Free = wanted.FreeSlots };
        if (!isKnown)
        {
            ForgetSlots();
        }
    }

    public void ForgetJob(string jobId)
    {
        if (_jobs.Remove(jobId, out QueuedJob? job))
        {
            Take(job);
        }
    }

    public void ForgetWorker(string worker)
    {
        _workers.Remove(worker);
        ForgetSlots();
    }

    /// <summary>What is known of workers and jobs.</summary>
    /// <param name="addressOf">Where a worker's node is.</param>
    public QueueDescription Describe(Func<string, string> addressOf) => new(
        [
            .. _workers.Values.OrderBy(worker => worker.Id, StringComparer.Ordinal)
                .Select(worker => new WorkerDescription(worker.Id, addressOf(worker.Id), worker.Slots, worker.Free, worker.Roots)),
        ],
        _jobs.Count,
        _jobs.Values.Sum(job => job.Waiting),
        _jobs.Values.Sum(job => job.InWork));

    /// <summary>The next gift, which counts as given from now on; null where nothing fits together.</summary>
    public GiveWork? Next()
    {
        Forgive();
        // The emptiest worker first, so that they fill evenly.
        foreach (QueuedWorker worker in _workers.Values.Where(worker => worker.Free > 0)
            .OrderByDescending(worker => worker.Free).ThenBy(worker => worker.Id, StringComparer.Ordinal))
        {
            QueuedJob? best = null;
            foreach (WorkLane lane in _lanes.Values)
            {
                if (lane.First is { } first && (best is null || QueuedJob.Order.Compare(first, best) < 0) && worker.Reaches(lane) && _limits.Allow(lane))
                {
                    best = first;
                }
            }

            if (best is not null)
            {
                return Give(best, worker);
            }
        }

        return null;
    }

    private GiveWork Give(QueuedJob job, QueuedWorker worker)
    {
        int share = ShareOf(job);
        Take(job);
        worker.Free--;
        long number = job.Give(time.GetTimestamp(), ++_turn);
        _gifts.Enqueue((job, job.GivenAt));
        Put(job);
        return new GiveWork(job.Id, worker.Id, number) { Share = share };
    }

    // The slots that reach its roots, among the jobs that wait and are not behind it.
    private int ShareOf(QueuedJob job)
    {
        WorkLane lane = _lanes[job.LaneKey];
        lane.Slots ??= _workers.Values.Where(worker => worker.Reaches(lane)).Sum(worker => (long)Math.Max(worker.Slots, 1));
        long jobs = _waiting.Where(pair => pair.Key >= job.Offer.Priority).Sum(pair => pair.Value);
        return (int)Math.Clamp((lane.Slots.Value + jobs - 1) / jobs, 1, int.MaxValue);
    }

    private void ForgetSlots()
    {
        foreach (WorkLane lane in _lanes.Values)
        {
            lane.Slots = null;
        }
    }

    // Gifts that nothing was heard of do not count any more.
    private void Forgive()
    {
        while (_gifts.TryPeek(out (QueuedJob Job, long GivenAt) gift) && time.GetElapsedTime(gift.GivenAt) >= GiftTimeout)
        {
            _gifts.Dequeue();
            if (gift.Job.GivenAt == gift.GivenAt && gift.Job.OnTheWay > 0 && _jobs.GetValueOrDefault(gift.Job.Id) == gift.Job)
            {
                Take(gift.Job);
                gift.Job.Forgive();
                Put(gift.Job);
            }
        }
    }

    private void Put(QueuedJob job)
    {
        _limits.Add(job.Offer, job.InWork);
        if (job.Waiting > 0)
        {
            if (!_lanes.TryGetValue(job.LaneKey, out WorkLane? lane))
            {
                _lanes.Add(job.LaneKey, lane = new WorkLane(job.Offer.Roots, job.Offer.Limits));
            }

            lane.Add(job);
            _waiting[job.Offer.Priority] = _waiting.GetValueOrDefault(job.Offer.Priority) + 1;
        }
    }

    private void Take(QueuedJob job)
    {
        _limits.Add(job.Offer, -job.InWork);
        if (!_lanes.TryGetValue(job.LaneKey, out WorkLane? lane) || !lane.Remove(job))
        {
            return;
        }

        if (--_waiting[job.Offer.Priority] == 0)
        {
            _waiting.Remove(job.Offer.Priority);
        }

        if (lane.First is null)
        {
            _lanes.Remove(job.LaneKey);
        }
    }

    private sealed class QueuedWorker
    {
        public required string Id { get; init; }

        public required ImmutableSortedSet<string> Roots { get; init; }

        public int Slots { get; init; }

        public int Free { get; set; }

        public bool Reaches(WorkLane lane) => lane.Roots.IsSubsetOf(Roots);
    }
}
