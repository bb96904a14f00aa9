using Akka.Actor;
using Akka.Event;
using Akka.Persistence;
using ImageCluster.Cluster.Messages;
using ImageCluster.Jobs;
using ImageCluster.Jobs.Execution;

namespace ImageCluster.Cluster.Jobs;

/// <content>A job that was over long ago is deleted from the journal. That there was one by its id is still known, by the journal's numbers.</content>
public sealed partial class JobActor
{
    private readonly HashSet<IActorRef> _forgetters = [];

    private bool IsBeingForgotten => _forgetters.Count > 0;

    // An image's record knows what this id has finished: another job by it would be taken for the same.
    private bool WasForgotten => _state.Spec is null && LastSequenceNr > 0;

    private void Forget(ForgetJob forget)
    {
        if (_state.Spec is null)
        {
            Sender.Tell(new JobForgotten(forget.JobId));
            Rest();
        }
        else if (!_state.IsClosed || _state.End!.At >= forget.EndedBefore)
        {
            Sender.Tell(new JobRefused(forget.JobId, new Refusal(RefusalKind.Conflict, $"job {forget.JobId} is not over, or has not been for long")));
        }
        else
        {
            _forgetters.Add(Sender);
            Timers.CancelAll();
            DeleteMessages(LastSequenceNr);
        }
    }

    // From when it is being deleted until it stops.
    private void AnswerForgotten(object message)
    {
        switch (message)
        {
            case DeleteMessagesSuccess:
                foreach (IActorRef forgetter in _forgetters)
                {
                    forgetter.Tell(new JobForgotten(Id));
                }

                Rest();
                break;
            case DeleteMessagesFailure failure:
                CountFailure("delete");
                // It is read again as far as it is there, which may be nothing: whoever wants it forgotten asks again.
                Log.Warning("Job {0} was not forgotten: {1}", Id, failure.Cause.Message);
                Rest();
                break;
            case ForgetJob:
                _forgetters.Add(Sender);
                break;
            case JobCommand or DescribeJob or Messages.ListCopied:
                Sender.Tell(new JobRefused(Id, new Refusal(RefusalKind.Unknown, $"there is no job {Id}")));
                break;
        }
    }

    private void RefuseAgain(SubmitJob submit)
    {
        Sender.Tell(new JobRefused(submit.JobId, new Refusal(RefusalKind.Conflict, $"job {submit.JobId} is over and was forgotten; another job needs another id")));
        Rest();
    }
}
