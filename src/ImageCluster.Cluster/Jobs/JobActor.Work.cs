using Akka.Actor;
using ImageCluster.Cluster.Messages;
using ImageCluster.Jobs;
using ImageCluster.Jobs.Execution;

namespace ImageCluster.Cluster.Jobs;

/// <content>What workers do for the job: tasks are offered, given, renewed, and come back done.</content>
public sealed partial class JobActor
{
    private void Offer()
    {
        if (_state.Spec is not null && !_state.IsClosed)
        {
            _offers.Tell(_state, TasksToGive());
        }
    }

    private long TasksToGive() => _isStepping || _state.Paused || _state.Pending.IsEmpty || Clock.Now < _notBefore || NextStep() is not JobStep.Offer
        // A lease that cannot be renewed just now: whoever was given a task could not begin it.
        || _leases.UsableUntil(_state, Clock.Now) <= Clock.Now
        ? 0
        : _offers.Tasks(_state);

    private void Give(GiveWork gift)
    {
        IActorRef worker = Sender;
        _offers.LastGiven = Math.Max(_offers.LastGiven, gift.Number);
        _offers.Pace.NoteShare(gift.Share);
        _offeredSince = Clock.Now;
        if (TasksToGive() == 0)
        {
            Offer();
            return;
        }

        Carry(new StartShards(Id, Clock.Now, gift.Worker, _offers.Pace.Shards(_state), _settings.AssignmentDuration, _leases.UsableUntil(_state, Clock.Now)), refusal =>
        {
            if (refusal is null)
            {
                _workers[gift.Worker] = worker;
                worker.Tell(JobOffers.TaskOf(_state, _state.Assignments[_state.LastAssignment]));
            }

            Offer();
        });
    }

    private void Renew(RenewAssignment renew)
    {
        IActorRef sender = Sender;
        if (_state.Unneeded.FirstOrDefault(assignment => assignment.Token == renew.Assignment) is { } unneeded && !_workers.ContainsKey(unneeded.Worker))
        {
            sender.Tell(new JobRefused(renew.JobId, new Refusal(RefusalKind.Stale, $"job {Id} does not need assignment {renew.Assignment} any more")));
            return;
        }

        Instant usable = _leases.UsableUntil(_state, Clock.Now);
        Carry(renew with { At = Clock.Now, UsableUntil = usable }, refusal =>
        {
            // The deadline after a restart is how long a worker may still be at work, not how long it may: that the images' leases say, when they are known again.
            TimeSpan left = refusal is null ? Instant.Min(_state.Assignments[renew.Assignment].Deadline, usable) - Clock.Now : TimeSpan.Zero;
            sender.Tell(refusal is null
                ? new AssignmentHeld(renew.JobId, renew.Assignment, left > TimeSpan.Zero ? left : TimeSpan.Zero)
                : new JobRefused(renew.JobId, refusal));
        });
    }

    // Stored first, so that nobody does these shards again; then published; then answered, upon which the worker closes its room.
    private void Complete(CompleteShards complete)
    {
        IActorRef sender = Sender;
        Instant now = Clock.Now;
        Assignment? assignment = _state.Assignments.GetValueOrDefault(complete.Assignment);
        int stage = _state.StageIndex;
        bool fills = _state.Stage is StageKind.Copy or StageKind.Merge;
        if (assignment is not null && JobSteps.FindingProblem(_state.Stage, complete.Results) is { } problem)
        {
            sender.Tell(new JobRefused(complete.JobId, new Refusal(RefusalKind.Invalid, problem)));
            return;
        }

        Carry(complete with { At = now }, refusal =>
        {
            if (refusal is not null)
            {
                sender.Tell(new JobRefused(complete.JobId, refusal));
                return;
            }

            if (assignment is not null && stage == _state.StageIndex)
            {
                _offers.Pace.Note(now - assignment.StartedAt, complete.Results.Count);
            }

            ShardResult[] open = [.. complete.Results.Where(result => Done(complete.Assignment, result.Shard) && !_published.Contains(result.Shard))];
            if (open.Length > 0 && (fills || _state.Stage is StageKind.Finish) && JobSteps.TargetOf(_state) is { } target)
            {
                // After a restart the target's lease may be another one: the worker asks again, and is answered when it is known.
                if (_leases.Has(_state))
                {
                    Publish(target, complete.Assignment, open, sender);
                }
            }
            else
            {
                sender.Tell(new JobDone(complete.JobId));
            }

            Advance();
        });
    }

    private bool Done(long assignment, long shard) =>
        (_state.Completed.GetValueOrDefault(shard) ?? _state.Copied.GetValueOrDefault(shard))?.Assignment == assignment;

    private void Publish(JobUse target, long assignment, IReadOnlyList<ShardResult> results, IActorRef worker) =>
        _images.PublishAsync(target, results.ToLookup(_ => assignment)).PipeTo(Self,
            success: refusal => new Published(results, worker, refusal, null),
            failure: e => new Published(results, worker, null, e));

    private void EndPublishing(Published published)
    {
        if (published.Error is not null)
        {
            // The worker asks again; before the target is finished the rest is published anyhow.
            return;
        }

        if (published.Refusal is { } refusal)
        {
            Fail(refusal.Message);
        }
        else
        {
            _published = published.Results.Aggregate(_published, (set, result) => set.Add(result.Shard));
        }

        published.Worker.Tell(new JobDone(Id));
        Advance();
    }

    private void ListCopied(ListCopied list)
    {
        if (_state.Stage != StageKind.Finish || _state.HasEnded)
        {
            Sender.Tell(new JobRefused(list.JobId, new Refusal(RefusalKind.Stale, $"job {list.JobId} is not finishing a target")));
            return;
        }

        Sender.Tell(JobSummaries.CopiedFrom(_state, list.From));
    }

    private sealed record Published(IReadOnlyList<ShardResult> Results, IActorRef Worker, Refusal? Refusal, Exception? Error) : INoSerializationVerificationNeeded;
}
