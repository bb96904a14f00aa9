using System.Collections.Immutable;
using Akka.Actor;
using ImageCluster.Cluster.Hosting;
using ImageCluster.Cluster.Messages;
using ImageCluster.Jobs.Execution;
using ImageCluster.Jobs.Images;

namespace ImageCluster.Cluster.Jobs;

/// <summary>What a job has to give to workers, in tasks, and what it told the scheduler of that.</summary>
internal sealed class JobOffers(RecordKeepers keepers, ImageClusterSettings settings)
{
    // Tasks at a time of a job that keeps to a rate: more would each take long, and much be lost with a worker.
    private const int TasksAtRate = 4;

    private readonly TaskPace _pace = new(settings.TaskTime, settings.MaxShardsInTask);
    private WorkOffered? _told;

    /// <summary>The number of the last gift, which the scheduler counts by.</summary>
    public long LastGiven { get; set; }

    public TaskPace Pace => _pace;

    public static ImmutableSortedSet<string> RootsOf(JobState state) =>
        state.Spec!.Roots.Concat(state.Uses.Select(use => use.Image.Root)).ToImmutableSortedSet(StringComparer.Ordinal);

    /// <summary>Tasks of a step that is open.</summary>
    public long Tasks(JobState state)
    {
        JobSettings job = state.Settings;
        long shards = job.MaxShards == 0 ? state.Pending.Count : Math.Min(state.Pending.Count, Math.Max(0, job.MaxShards - state.ShardsInWork));
        int batch = _pace.Shards(state);
        long tasks = (shards + batch - 1) / batch;
        return job.BytesPerSecond == 0 && job.SharedRates.IsEmpty ? tasks : Math.Min(tasks, Math.Max(0, TasksAtRate - state.Assignments.Count));
    }

    // The job's own, and those that it shares.
    private static IEnumerable<TaskRate> RatesOf(JobState state)
    {
        StageTraffic traffic = StageTraffic.Of(state.Spec!, state.Stage);
        IEnumerable<KeyValuePair<string, SharedRate>> rates = state.Settings.BytesPerSecond == 0
            ? state.Settings.SharedRates
            : state.Settings.SharedRates.Prepend(new($"job {state.Id}", new SharedRate(state.Settings.BytesPerSecond)));
        return rates.Select(rate => new TaskRate(rate.Key, rate.Value.BytesPerSecond, traffic.Times(rate.Value))).Where(rate => rate.Times > 0);
    }

    /// <summary>What the worker of an assignment must know.</summary>
    public static ShardTask TaskOf(JobState state, Assignment assignment)
    {
        JobUse? target = JobSteps.TargetOf(state) ?? state.Uses.Find(use => UseRule.IsExclusive(use.Purpose));
        bool hasLayout = state.Plan is not null && state.Layout.Length > 0;
        return new ShardTask(state.Id, assignment.Token, state.Stage, assignment.Shards, state.Spec!, state.Plan,
            hasLayout ? JobSteps.LayoutOf(state) : null, target?.Token ?? 0)
        {
            Target = JobSteps.TargetOf(state)?.Image,
            Rates = [.. RatesOf(state)],
            // A convert's target keeps a note of its own.
            Probed = state.Spec is ConvertSpec ? "" : state.Probed,
            FinishedFile = state.Stage == StageKind.Install ? state.FinishedFile : "",
        };
    }

    /// <summary>Tells the scheduler where that is not what it heard last.</summary>
    public void Tell(JobState state, long tasks)
    {
        ImmutableSortedSet<string> roots = RootsOf(state);
        var offer = new WorkOffered(state.Id, state.Settings.Priority, tasks, state.Assignments.Count, roots, LastGiven) { Limits = state.Settings.SharedLimits };
        if (_told is null || offer with { Roots = _told.Roots } != _told || !roots.SetEquals(_told.Roots))
        {
            _told = offer;
            keepers.Scheduler().Tell(offer);
        }
    }

    /// <summary>The scheduler may be another one: it is told again, new or not.</summary>
    public void TellAgain() => _told = null;
}
