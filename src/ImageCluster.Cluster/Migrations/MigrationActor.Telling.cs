using Akka.Actor;
using ImageCluster.Cluster.Messages;
using ImageCluster.Jobs;
using ImageCluster.Jobs.Execution;
using ImageCluster.Jobs.Migrations;

namespace ImageCluster.Cluster.Migrations;

/// <content>What the migration tells its jobs, again and again until they have answered, and what it hears of them.</content>
public sealed partial class MigrationActor
{
    /// <summary>What a job in work is to do.</summary>
    private enum Wish
    {
        Run,
        Pause,
        Cancel,
    }

    // One command at a time to each job; the next when it has answered.
    private void Tell(string jobId, Func<SubmitJob> submit)
    {
        Wish wish = _state.CancelledBy.Length > 0 ? Wish.Cancel : _state.IsPaused ? Wish.Pause : Wish.Run;
        bool isSubmitted = _told.TryGetValue(jobId, out Wish told);
        if ((isSubmitted && told == wish) || !_telling.Add(jobId))
        {
            return;
        }

        JobCommand command = !isSubmitted ? submit()
            : wish == Wish.Cancel ? new CancelJob(jobId, default, _state.CancelledBy)
            : wish == Wish.Pause ? new PauseJob(jobId, default, Pauser)
            : new ResumeJob(jobId, default, Pauser);
        Send(command, isSubmitted ? wish : Wish.Run);
    }

    private void Send(JobCommand command, Wish wish) => AskJob(command).PipeTo(Self,
        success: reply => new JobTold(command.JobId, wish, command is SubmitJob, reply),
        failure: _ => new JobTold(command.JobId, wish, command is SubmitJob, null));

    private async Task<JobReply> AskJob(JobCommand command)
    {
        JobReply reply = await _keepers.Jobs().Ask<JobReply>(command, _settings.AskTimeout).ConfigureAwait(false);
        if (command is not SubmitJob || reply is not JobRefused { Refusal.Kind: RefusalKind.Conflict })
        {
            return reply;
        }

        // Submitted by an earlier version that made something else of the manifest, it goes on: what comes of it is for it to report, unless it is over.
        JobReply found = await _keepers.Jobs().Ask<JobReply>(new DescribeJob(command.JobId), _settings.AskTimeout).ConfigureAwait(false);
        return found is JobDescription ? found : reply;
    }

    private void Told(JobTold told)
    {
        _telling.Remove(told.JobId);
        if (told.Reply is null)
        {
            // Again with the next beat.
            return;
        }

        _told[told.JobId] = told.Wish;
        _gatheringIsOver |= told.Wish == Wish.Cancel && told.JobId == MigrationJobs.GatherJobId(_id);
        if (told is { IsSubmission: true, Reply: JobRefused refused })
        {
            Over(told.JobId, new ImageResult(JobOutcome.Failed, refused.Refusal.Message, "", 0, 0), Advance);
            return;
        }

        if (told is { IsSubmission: true, Reply: JobDescription { Summary: { Outcome: { } outcome } job } })
        {
            _told.Remove(told.JobId);
            Over(told.JobId, ResultOf(job, outcome), Advance);
            return;
        }

        Advance();
    }

    private static ImageResult ResultOf(JobSummary job, JobOutcome outcome) => new(outcome, job.Reason, job.Digest, job.BytesRead, job.BytesWritten);

    private void Reported(ReportJob report)
    {
        IActorRef sender = Sender;
        JobSummary job = report.Job;
        bool isImage = MigrationJobs.TryParse(_id, job.JobId, out int index, out _) && index < _state.Images.Count;
        if (job.Outcome is { } outcome)
        {
            _told.Remove(job.JobId);
            _gatheringIsOver |= job.JobId == MigrationJobs.GatherJobId(_id);
            _progress.Remove(isImage ? index : MigrationOverviews.Gathering);
            Over(job.JobId, ResultOf(job, outcome), () =>
            {
                sender.Tell(new MigrationDone(_id));
                Advance();
            });
            return;
        }

        if (isImage ? _state.JobIdOf(_state.Images[index]) == job.JobId : !_state.IsPlanned)
        {
            _progress[isImage ? index : MigrationOverviews.Gathering] = job;
            _hasNews = true;
        }

        // A job that missed it when its migration was resumed or cancelled.
        bool isLeftPaused = job.IsPaused && !_state.IsPaused && job.Reason == $"paused by {Pauser}";
        if (isLeftPaused && _told.GetValueOrDefault(job.JobId) == Wish.Run)
        {
            _keepers.Jobs().Tell(new ResumeJob(job.JobId, default, Pauser));
        }
        else if (!isImage && _state.HasEnded)
        {
            _keepers.Jobs().Tell(new CancelJob(job.JobId, default, _state.CancelledBy));
        }
    }

    private void Over(string jobId, ImageResult result, Action then)
    {
        MigrationCommand? command = null;
        if (MigrationJobs.TryParse(_id, jobId, out int index, out int attempt))
        {
            command = new EndImage(_id, Clock.Now, index, attempt, result);
        }
        else if (!_state.IsPlanned && !_state.HasEnded)
        {
            // Who gathers tells the plan before it ends: there is none.
            command = new RefusePlan(_id, Clock.Now, [result.Reason.Length > 0 ? result.Reason : "the images were not gathered"]);
        }

        Store(command is null ? [] : MigrationRecord.Decide(_state, command).Events, then);
    }

    private sealed record JobTold(string JobId, Wish Wish, bool IsSubmission, JobReply? Reply) : INoSerializationVerificationNeeded;
}
