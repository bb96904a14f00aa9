using Akka.Actor;
using Akka.Persistence;
using ImageCluster.Cluster.Messages;
using ImageCluster.Jobs;
using ImageCluster.Jobs.Migrations;

namespace ImageCluster.Cluster.Migrations;

/// <content>A migration that was over long ago is deleted from the journal, behind all its jobs. That there was one by its id is still known.</content>
public sealed partial class MigrationActor
{
    private const int JobsForgottenAtATime = 32;

    private readonly HashSet<IActorRef> _forgetters = [];

    // Its jobs' ids come from its own, and are not used twice.
    private bool WasForgotten => _state.Id.Length == 0 && LastSequenceNr > 0;

    private void Forget(ForgetMigration forget)
    {
        if (_state.Id.Length == 0)
        {
            Sender.Tell(new MigrationForgotten(_id));
            Rest();
        }
        else if (!_state.HasEnded || MustStopGathering || _state.EndedAt >= forget.EndedBefore)
        {
            Refuse(new Refusal(RefusalKind.Conflict, $"migration {_id} is not over, or has not been for long"));
        }
        else
        {
            _forgetters.Add(Sender);
            Timers.CancelAll();
            string[] jobs =
            [
                MigrationJobs.GatherJobId(_id),
                .. _state.Images.SelectMany(image => Enumerable.Range(1, image.Attempt).Select(attempt => _state.JobIdOf(image with { Attempt = attempt }))),
            ];
            ForgetJobsAsync(jobs, forget.EndedBefore).PipeTo(Self, success: problem => new JobsForgotten(problem), failure: e => new JobsForgotten(e.Message));
        }
    }

    // Why one of them is still there, or null.
    private async Task<string?> ForgetJobsAsync(IReadOnlyList<string> jobs, Instant endedBefore)
    {
        foreach (string[] some in jobs.Chunk(JobsForgottenAtATime))
        {
            JobReply[] replies = await Task.WhenAll(some.Select(id => _keepers.Jobs().Ask<JobReply>(new ForgetJob(id, endedBefore), _settings.AskTimeout))).ConfigureAwait(false);
            if (replies.OfType<JobRefused>().FirstOrDefault() is { } refused)
            {
                return refused.Refusal.Message;
            }
        }

        return null;
    }

    // From when its jobs are being deleted until it stops.
    private void AnswerForgotten(object message)
    {
        switch (message)
        {
            case JobsForgotten { Problem: null }:
                DeleteMessages(LastSequenceNr);
                break;
            case JobsForgotten { Problem: { } problem }:
                KeepAll(problem);
                break;
            case DeleteMessagesSuccess:
                TellForgetters(new MigrationForgotten(_id));
                Rest();
                break;
            case DeleteMessagesFailure failure:
                CountFailure("delete");
                KeepAll(failure.Cause.Message);
                break;
            case ForgetMigration:
                _forgetters.Add(Sender);
                break;
            case MigrationCommand or DescribeMigration or ListMigrationImages or GatheredImages:
                Sender.Tell(new MigrationRefused(_id, new Refusal(RefusalKind.Unknown, $"there is no migration {_id}")));
                break;
        }
    }

    // It starts anew from the journal; whoever wants it forgotten asks again.
    private void KeepAll(string problem)
    {
        TellForgetters(new MigrationRefused(_id, new Refusal(RefusalKind.Conflict, problem)));
        Rest();
    }

    private void TellForgetters(MigrationReply reply)
    {
        foreach (IActorRef forgetter in _forgetters)
        {
            forgetter.Tell(reply);
        }
    }

    private void RefuseAgain(SubmitMigration submit) =>
        Refuse(new Refusal(RefusalKind.Conflict, $"migration {submit.MigrationId} is over and was forgotten; another migration needs another id"));

    private sealed record JobsForgotten(string? Problem) : INoSerializationVerificationNeeded;
}
