using Akka.Actor;
using ImageCluster.Cluster.Hosting;
using ImageCluster.Cluster.Messages;

namespace ImageCluster.Cluster.Scheduling;

/// <summary>
/// Brings workers that want work and jobs that have some together; one in the cluster. It keeps nothing: jobs and workers say again and again
/// what they have, so a scheduler that starts on another node knows all within a few seconds. It decides nothing that must be remembered
/// either: what a worker really gets is for the job's record to say.
/// </summary>
public sealed class SchedulerActor : ReceiveActor, IWithTimers
{
    private readonly WorkQueue _queue;
    private readonly RateBook _rates;
    private readonly Dictionary<string, IActorRef> _jobs = new(StringComparer.Ordinal);
    private readonly Dictionary<string, IActorRef> _workers = new(StringComparer.Ordinal);

    public SchedulerActor(ImageClusterSettings settings, TimeProvider time)
    {
        _queue = new WorkQueue(settings.RootLimits, time);
        _rates = new RateBook(time);
        Receive<WorkOffered>(Offer);
        Receive<WorkWanted>(Want);
        Receive<DescribeQueue>(_ => Sender.Tell(_queue.Describe(AddressOf)));
        Receive<Terminated>(gone => Forget(gone.ActorRef));
        Receive<ReserveBytes>(Reserve);
        Receive<Look>(_ =>
        {
            _rates.Forget();
            Match();
        });
        Receive<StopRecord>(_ => Context.Stop(Self));
    }

    public ITimerScheduler Timers { get; set; } = null!;

    // A gift that was lost counts no more after a while: nothing else would wake up then.
    protected override void PreStart() => Timers.StartPeriodicTimer(Look.Instance, Look.Instance, WorkQueue.GiftTimeout / 2);

    private void Offer(WorkOffered offer)
    {
        // A job that was restarted counts its gifts anew.
        if (_jobs.TryGetValue(offer.JobId, out IActorRef? known) && !known.Equals(Sender))
        {
            Forget(known);
        }

        if (_jobs.TryAdd(offer.JobId, Sender))
        {
            Context.Watch(Sender);
        }

        _queue.Offer(offer);
        Match();
    }

    private void Want(WorkWanted wanted)
    {
        if (_workers.TryGetValue(wanted.Worker, out IActorRef? known) && !known.Equals(Sender))
        {
            Forget(known);
        }

        if (_workers.TryAdd(wanted.Worker, Sender))
        {
            Context.Watch(Sender);
        }

        _queue.Want(wanted);
        Match();
    }

    private void Reserve(ReserveBytes wanted)
    {
        (long bytes, TimeSpan wait) = _rates.Reserve(wanted.Rate, Math.Max(1, wanted.BytesPerSecond), wanted.Worker, wanted.Bytes);
        Sender.Tell(new BytesReserved(wanted.Rate, bytes, wait));
    }

    private void Match()
    {
        while (_queue.Next() is { } gift)
        {
            // To the job it looks as if the worker itself had asked, so the task goes straight there.
            _jobs[gift.JobId].Tell(gift, _workers[gift.Worker]);
        }
    }

    private string AddressOf(string worker)
    {
        Address address = _workers[worker].Path.Address;
        address = address.HasLocalScope ? ((ExtendedActorSystem)Context.System).Provider.DefaultAddress : address;
        return address.HasLocalScope ? "" : $"{address.Host}:{address.Port}";
    }

    private void Forget(IActorRef gone)
    {
        foreach ((string job, _) in _jobs.Where(pair => pair.Value.Equals(gone)).ToList())
        {
            _jobs.Remove(job);
            _queue.ForgetJob(job);
        }

        foreach ((string worker, _) in _workers.Where(pair => pair.Value.Equals(gone)).ToList())
        {
            _workers.Remove(worker);
            _queue.ForgetWorker(worker);
        }

        Context.Unwatch(gone);
    }

    private sealed class Look : Tick<Look>;
}
