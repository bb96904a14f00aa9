using Akka.Actor;
using Akka.Cluster;
using Akka.Event;
using ImageCluster.Cluster.Messages;

namespace ImageCluster.Cluster.Membership;

/// <summary>
/// Brings a node into the cluster that its seeds are in, and shows whether it is in one by the name of a child, which others ask for (<see cref="Identify"/>).
/// The first of the seeds asks the others so, and forms a cluster where a majority of the seeds wait for one and none is known to be in one
/// (<see cref="Founding"/>). Akka's own first seed forms one alone as soon as nobody answers: after a cut, a second one.
/// </summary>
internal sealed class ClusterEntryActor : ReceiveActor, IWithTimers
{
    public const string Name = "cluster-entry";

    public static readonly TimeSpan DefaultSilence = TimeSpan.FromSeconds(10);

    private const string Waiting = "waiting";
    private const string Member = "member";

    private static readonly TimeSpan RoundTime = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan SayAfter = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan SayAgain = TimeSpan.FromMinutes(5);

    private readonly Akka.Cluster.Cluster _cluster = Akka.Cluster.Cluster.Get(Context.System);
    private readonly ILoggingAdapter _log = Context.GetLogger();
    private readonly IReadOnlyList<Address> _seeds;
    private readonly Address[] _others;
    private readonly Dictionary<Address, bool> _waiting = [];
    private readonly Founding? _founding;
    private readonly TimeProvider _time;
    private readonly long _startedAt;
    private IActorRef _sign;
    private long _round;
    private TimeSpan _sayAt = SayAfter;

    /// <param name="seeds">This node's may be among them; the first forms the cluster.</param>
    /// <param name="silence">See <see cref="Founding"/>.</param>
    public ClusterEntryActor(IReadOnlyList<Address> seeds, TimeSpan silence, TimeProvider time)
    {
        _seeds = seeds;
        _others = [.. seeds.Where(seed => seed != _cluster.SelfAddress).Distinct()];
        _founding = seeds[0] == _cluster.SelfAddress ? new Founding(_others, silence) : null;
        (_time, _startedAt) = (time, time.GetTimestamp());
        _sign = Context.ActorOf(Props.Create(() => new Sign()), Waiting);
        Receive<ClusterEvent.IMemberEvent>(OnMember);
        Receive<ActorIdentity>(Hear);
        Receive<Round>(_ => NextRound());
    }

    public ITimerScheduler Timers { get; set; } = null!;

    private TimeSpan Now => _time.GetElapsedTime(_startedAt);

    protected override void PreStart()
    {
        _cluster.Subscribe(Self, ClusterEvent.InitialStateAsEvents, typeof(ClusterEvent.IMemberEvent));
        _cluster.JoinSeedNodes(_others);
        Timers.StartPeriodicTimer(Round.Instance, Round.Instance, TimeSpan.Zero, RoundTime);
    }

    protected override void PostStop() => _cluster.Unsubscribe(Self);

    private void OnMember(ClusterEvent.IMemberEvent e)
    {
        if (e.Member.UniqueAddress == _cluster.SelfUniqueAddress && _sign.Path.Name == Waiting)
        {
            Timers.CancelAll();
            Context.Stop(_sign);
            _sign = Context.ActorOf(Props.Create(() => new Sign()), Member);
        }
    }

    // Dead letters answer too where a node cannot be reached, for nobody: that says nothing.
    private void Hear(ActorIdentity answer)
    {
        if (answer.Subject is { } sign)
        {
            bool waits = sign.Path.Name == Waiting;
            var round = (long)answer.MessageId;
            _founding?.Hear(sign.Path.Address, waits, Now, round);
            if (round == _round)
            {
                _waiting[sign.Path.Address] = waits;
            }
        }
    }

    private void NextRound()
    {
        if (_founding?.MayFound(_round, Now) == true)
        {
            _cluster.Join(_cluster.SelfAddress);
            return;
        }

        if (Now >= _sayAt)
        {
            _sayAt = Now + SayAgain;
            _log.Warning("{0}", EntryReport.Of(_seeds, _cluster.SelfAddress, _waiting));
        }

        _waiting.Clear();
        // Who forms none asks only for what it has to say.
        if (_founding is null && Now + RoundTime < _sayAt)
        {
            return;
        }

        _round++;
        foreach (Address seed in _others)
        {
            Context.ActorSelection(new RootActorPath(seed) / "user" / Name / "*").Tell(new Identify(_round));
        }
    }

    /// <summary>Is there, and nothing else.</summary>
    private sealed class Sign : ReceiveActor;

    private sealed class Round : Tick<Round>;
}
