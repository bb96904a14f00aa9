using System.Collections.Immutable;
using ImageCluster.Imaging;
using ImageCluster.Imaging.Formats.Filling;
using ImageCluster.Imaging.Storage;
using ImageCluster.Jobs;
using ImageCluster.Jobs.Contracts;
using ImageCluster.Jobs.Execution;
using ImageCluster.Jobs.Images;
using ImageCluster.Work.Gathering;
using ImageCluster.Work.Leases;
using ImageCluster.Work.Roots;
using ImageCluster.Work.Running;
using ImageCluster.Work.Secrets;

namespace ImageCluster.Work.Tests.Support;

/// <summary>
/// Carries a job out as a cluster would, with real records and without actors: several workers on threads of their own, each with a runner of its own as
/// processes have, take shards in any order.
/// </summary>
internal sealed class JobDriver(JobSpec spec, IReadOnlyDictionary<string, string> roots)
{
    private readonly object _gate = new();
    private readonly List<(long Assignment, TaskScope Scope)> _tasks = [];
    private long _now = 1_000_000;
    private ProbeFindings? _findings;
    private FillLayout? _layout;
    private ImageKeeper? _target;
    private Exception? _defect;

    public string JobId { get; init; } = "job-1";

    public int Workers { get; init; } = 2;

    /// <summary>Threads of a worker that does something whole.</summary>
    public int WholeThreads { get; init; } = 2;

    /// <summary>Where files come from; null for this machine's.</summary>
    public IFileLocator? Files { get; init; }

    /// <summary>Passwords of encrypted images.</summary>
    public SecretStore Secrets { get; init; } = SecretStore.None;

    /// <summary>Stands between the job and its runners: may fail, do a shard twice, or lose the lease.</summary>
    public Func<IShardRunner, WorkTask, long, TaskScope, ShardResult> Around { get; init; } = (runner, task, shard, scope) => runner.Run(task, shard, scope);

    public JobState Job { get; private set; } = JobState.New;

    public ProbeFindings Findings => _findings ?? throw new InvalidOperationException("Nothing was found out.");

    /// <summary>What shards said, with the step that they were of.</summary>
    public List<(StageKind Stage, ShardResult Result)> Results { get; } = [];

    public IReadOnlyList<PlannedUse> Uses { get; private set; } = [];

    /// <summary>Runs the job to its end.</summary>
    public JobEnd Run()
    {
        Do(at => new SubmitJob(JobId, at, spec, JobSettings.Default));
        Thread[] threads = [.. Enumerable.Range(0, Workers).Select(i => new Thread(() => Work($"worker-{i}")))];
        foreach (Thread thread in threads)
        {
            thread.Start();
        }

        foreach (Thread thread in threads)
        {
            thread.Join();
        }

        if (_defect is not null)
        {
            throw new InvalidOperationException($"The job could not be carried on: {_defect.Message}", _defect);
        }

        return Job.End!;
    }

    private void Work(string name)
    {
        var runner = new ShardRunner(new RootMap(roots, Files, secrets: Secrets), wholeThreads: WholeThreads);
        try
        {
            while (Take(name) is { } taken)
            {
                Do(runner, taken.Task, taken.Assignment);
            }
        }
        catch (Exception e)
        {
            lock (_gate)
            {
                _defect ??= e;
                Monitor.PulseAll(_gate);
            }
        }
    }

    private (WorkTask Task, Assignment Assignment)? Take(string worker)
    {
        lock (_gate)
        {
            while (!Job.HasEnded && _defect is null)
            {
                long before = Job.LastAssignment;
                TryDo(at => new StartShards(JobId, at, worker, 2, TimeSpan.FromHours(1), at + TimeSpan.FromHours(2)));
                if (Job.LastAssignment > before)
                {
                    var task = new WorkTask(JobId, Job.Stage, spec, Job.Plan, _layout)
                    {
                        Probed = spec is ConvertSpec || Job.Plan is null ? null : _findings,
                        FinishedFile = Job.FinishedFile,
                    };
                    return (task, Job.Assignments[Job.LastAssignment]);
                }

                Monitor.Wait(_gate, TimeSpan.FromSeconds(1));
            }

            return null;
        }
    }

    private void Do(ShardRunner runner, WorkTask task, Assignment assignment)
    {
        var scope = Scopes.Of((request, wanted, atLeast) => _target!.RoomOf(assignment.Token)(request, wanted, atLeast)) with
        {
            AskManifests = () => [.. Job.Copied.Values.Select(shard => shard.Result.Manifest).OfType<ShardManifest>().Reverse()],
        };
        // From the last on: nothing may depend on the order.
        foreach (long shard in assignment.Shards.Values().Reverse())
        {
            try
            {
                ShardResult result = Around(runner, task, shard, scope);
                lock (_gate)
                {
                    Completed(task, assignment.Token, result);
                }
            }
            catch (LeaseLostException)
            {
                // Nobody hears of it; the job finds out by its clock.
                lock (_gate)
                {
                    Do(at => new HandBack(JobId, at, assignment.Token));
                    _target?.Close(assignment.Token, null);
                    return;
                }
            }
            catch (Exception e) when (e is ImageException or SourceChangedException)
            {
                bool passing = e is ImageException { Kind: ImageErrorKind.Io or ImageErrorKind.Locked or ImageErrorKind.NotFound };
                string reason = e is ImageException image ? ErrorText.Of(image) : e.Message;
                lock (_gate)
                {
                    Do(at => new FailShard(JobId, at, assignment.Token, shard, reason, !passing));
                }
            }
        }

        lock (_gate)
        {
            TryDo(at => new HandBack(JobId, at, assignment.Token));
            if (task.Stage is StageKind.Copy or StageKind.Merge && _target is not null)
            {
                _target.Close(assignment.Token, scope.Room?.CleanFrom ?? ImmutableSortedDictionary<int, long>.Empty);
            }

            Monitor.PulseAll(_gate);
        }
    }

    private void Completed(WorkTask task, long assignment, ShardResult result)
    {
        Results.Add((task.Stage, result));
        switch (task.Stage)
        {
            case StageKind.Probe:
                _findings = FindingsCodec.DecodeProbe(result.Detail);
                break;
            case StageKind.Create when spec is ConvertSpec:
                _layout = FindingsCodec.DecodeLayout(result.Detail);
                _target = new ImageKeeper(((ConvertSpec)spec).Target, JobId, UsePurpose.Fill, _layout);
                break;
            case StageKind.Prepare:
                _layout = FindingsCodec.DecodeLayout(result.Detail);
                PlannedUse merged = Uses.Single(use => UseRule.IsSharded(use.Purpose));
                _target = new ImageKeeper(merged.Image, JobId, merged.Purpose, _layout);
                break;
            case StageKind.Copy:
            case StageKind.Merge when _target is not null:
                _target!.Publish(assignment, [result]);
                break;
            case StageKind.Finish when _target is not null:
                _target.Finish(Job.Digest);
                break;
            default:
                break;
        }

        Do(at => new CompleteShards(JobId, at, assignment, [result]));
        if (task.Stage == StageKind.Probe)
        {
            Uses = JobUses.Of(spec, Findings.ChainsByImage, out string? problem);
            Do(at => problem is null
                ? new PlanJob(JobId, at, JobPlanner.Plan(spec, Findings.Geometry))
                : new FailJob(JobId, at, problem));
        }

        Monitor.PulseAll(_gate);
    }

    private void Do(Func<Instant, JobCommand> command) => Assert.Null(TryDo(command));

    private string? TryDo(Func<Instant, JobCommand> command)
    {
        lock (_gate)
        {
            Decision<JobEvent> decision = JobRecord.Decide(Job, command(new Instant(_now += 10)));
            Job = decision.Events.Aggregate(Job, JobRecord.Apply);
            return decision.Refusal?.Message;
        }
    }
}
