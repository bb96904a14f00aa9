using System.Collections.Immutable;
using Akka.Actor;
using ImageCluster.Cluster.Measuring;
using ImageCluster.Jobs;
using ImageCluster.Jobs.Execution;

namespace ImageCluster.Cluster.Jobs;

/// <content>What the job does by itself: one step after the other, each asked of its images' actors and safe to take again.</content>
public sealed partial class JobActor
{
    // Goes on as far as it can: the next step, or work for workers.
    private void Advance()
    {
        if (_isStepping || _state.Spec is null)
        {
            return;
        }

        JobStep step = NextStep();
        switch (step)
        {
            case JobStep.Fail fail:
                Carry(new FailJob(Id, Clock.Now, fail.Reason), _ => Advance());
                return;
            case JobStep.Plan plan:
                Carry(new PlanJob(Id, Clock.Now, plan.JobPlan), refusal =>
                {
                    // Not both: what the job does next is decided when its failure is stored.
                    if (refusal is not null)
                    {
                        Fail(refusal.Message);
                        return;
                    }

                    Advance();
                });
                return;
            case JobStep.Take take when !_state.Paused || !_state.Uses.IsEmpty:
                Step(step, _images.TakeAsync(take.Wanted, _state.Uses, _state.Plan is not null, take.Chains, _state.Spec.Operation));
                break;
            case JobStep.StartFill start:
                Step(step, _images.StartFillAsync(start.Target, start.Layout));
                break;
            case JobStep.CloseFill close when Clock.Now >= _lastLoss + Grace:
                Step(step, _images.CloseFillAsync(close.Target, [.. _state.Copied.Values.Where(shard => !_published.Contains(shard.Result.Shard))]));
                break;
            case JobStep.CloseFill:
            case JobStep.Release when _state.End!.Outcome != JobOutcome.Succeeded && Clock.Now < _lastLoss + Grace:
                Timers.StartSingleTimer(Retry.Instance, Retry.Instance, _settings.RetryAfter);
                break;
            case JobStep.Release release:
                Step(step, _images.ReleaseAsync(_state, [.. _state.Uses.Union(_leases.Uses)], release.Stands));
                break;
        }

        Offer();
    }

    // A write that was on its way when its worker's lease ended has arrived by then: before a target counts as whole, and before others have its image.
    private TimeSpan Grace => _settings.AssignmentDuration / 10;

    private JobStep NextStep() => JobSteps.Next(_state, _leases.Has(_state), _fillStarted, _fillClosed);

    private void Step<T>(JobStep step, Task<T> task)
    {
        _isStepping = true;
        task.PipeTo(Self, success: result => new StepEnded(step, result, null), failure: e => new StepEnded(step, null, e));
    }

    private void EndStep(StepEnded ended)
    {
        _isStepping = false;
        if (ended.Error is not null)
        {
            Wait(ended.Error is AskTimeoutException ? "an image's record does not answer" : ended.Error.Message);
            return;
        }

        switch (ended.Step, ended.Result)
        {
            case (JobStep.Take, UsesTried tried):
                Taken(tried);
                return;
            case (JobStep.Release, Refusal refusal):
                Wait(refusal.Message);
                return;
            case (JobStep.Release, _):
                Carry(new NoteReleased(Id, Clock.Now), _ =>
                {
                    _leases.Set([]);
                    Say();
                });
                return;
            case (_, Refusal { Kind: RefusalKind.NotQuiet } refusal):
                Wait(refusal.Message);
                return;
            case (_, Refusal refusal):
                Fail(refusal.Message);
                return;
            case (JobStep.StartFill, _):
                _fillStarted = true;
                break;
            case (JobStep.CloseFill, _):
                _fillClosed = true;
                break;
        }

        Advance();
    }

    private void Taken(UsesTried tried)
    {
        if (tried.Refusal is { } refusal)
        {
            if (_state.Plan is null)
            {
                _leases.Set([]);
            }

            NotTaken(refusal);
            return;
        }

        _waitsSince = null;
        _status = "";
        _leases.Set(tried.Taken);
        ImmutableList<JobUse> uses = [.. tried.Taken.Select(lease => lease.Use)];
        if (uses.SequenceEqual(_state.Uses) || _state.HasEnded)
        {
            Advance();
            return;
        }

        // Between two leases of its own somebody else may have changed the image.
        if (_state.Plan is not null && uses.FirstOrDefault(use => _state.Uses.Find(old => old.Image == use.Image) is { } old && use.Token > old.Token + 1) is { } gap)
        {
            Carry(new NoteUses(Id, Clock.Now, uses), _ => Fail($"{gap.Image} was used by others after the job's lease on it had run out"));
            return;
        }

        JobCommand note = _state.Plan is null && _state.Probed.Length > 0
            ? new ProbeAgain(Id, Clock.Now, uses)
            : new NoteUses(Id, Clock.Now, uses);
        Carry(note, refused =>
        {
            if (refused is null)
            {
                Advance();
            }
            else
            {
                Wait(refused.Message);
            }
        });
    }

    private void NotTaken(Refusal refusal)
    {
        _waitsSince ??= Clock.Now;
        if (refusal.Kind is not (RefusalKind.InUse or RefusalKind.NotQuiet))
        {
            Fail(refusal.Message);
        }
        else if (Clock.Now - _waitsSince >= _settings.ImageWait)
        {
            Fail($"{refusal.Message}; the job waited for {_settings.ImageWait:c}");
        }
        else
        {
            Wait($"waits: {refusal.Message}");
        }
    }

    private void Wait(string why)
    {
        _voice.HasNews |= _status != why;
        _status = why;
        Timers.StartSingleTimer(Retry.Instance, Retry.Instance, _settings.RetryAfter);
        Offer();
    }

    private void Fail(string reason) => Carry(new FailJob(Id, Clock.Now, reason), _ => Advance());

    private void RenewLeases()
    {
        IReadOnlyList<JobUse> due = _leases.Due(Clock.Now);
        if (due.Count > 0 && !_isRenewing && !_state.HasEnded)
        {
            _isRenewing = true;
            _images.RenewAsync(due).PipeTo(Self, success: renewed => new RenewalEnded(renewed), failure: _ => new RenewalEnded(new UsesRenewed([], [])));
        }
    }

    private void EndRenewal(RenewalEnded ended)
    {
        _isRenewing = false;
        _leases.Renewed(ended.Renewed.Held);
        if (ended.Renewed.Lost.FirstOrDefault() is { } lost && _state.End is null)
        {
            ClusterMeter.ImageLost();
            Fail(lost.Message);
        }
    }

    private sealed record StepEnded(JobStep Step, object? Result, Exception? Error) : INoSerializationVerificationNeeded;

    private sealed record RenewalEnded(UsesRenewed Renewed) : INoSerializationVerificationNeeded;
}
