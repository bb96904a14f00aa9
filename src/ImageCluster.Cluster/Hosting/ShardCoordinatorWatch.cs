using Akka.Actor;
using Akka.Event;
using ImageCluster.Cluster.Messages;

namespace ImageCluster.Cluster.Hosting;

/// <summary>
/// Akka's coordinator of a region's shards keeps the shards that it remembers in a store that stops where the journal cannot be read. An active coordinator does
/// not notice, and from then on places no shard any more: whatever is asked of a record there waits for ever. This one notices, on the coordinator's node, and
/// ends the coordinator, whose supervisor starts it again with a new store.
/// </summary>
internal sealed class ShardCoordinatorWatch : ReceiveActor, IWithTimers
{
    public const string Name = "shard-coordinator-watch";

    // The coordinator's own end may be on its way.
    private const int Misses = 2;

    private readonly Dictionary<string, int> _missed = new(StringComparer.Ordinal);
    private readonly ILoggingAdapter _log = Context.GetLogger();
    private readonly TimeSpan _every;

    /// <param name="regions">Those that remember.</param>
    /// <param name="every">How often it looks.</param>
    public ShardCoordinatorWatch(IReadOnlyList<string> regions, TimeSpan every)
    {
        _every = every;
        Receive<Look>(_ =>
        {
            foreach (string region in regions)
            {
                Context.ActorSelection($"{PathOf(region)}/RememberEntitiesStore").Tell(new Identify(region));
            }
        });
        Receive<ActorIdentity>(found =>
        {
            string region = (string)found.MessageId;
            _missed[region] = found.Subject is null ? _missed.GetValueOrDefault(region) + 1 : 0;
            if (_missed[region] >= Misses)
            {
                Context.ActorSelection(PathOf(region)).ResolveOne(every).PipeTo(Self, success: coordinator => new Orphan(region, coordinator), failure: _ => new Orphan(region, null));
            }
        });
        Receive<Orphan>(orphan =>
        {
            // None is here where another node has it.
            if (orphan.Coordinator is { } coordinator && _missed[orphan.Region] >= Misses)
            {
                _log.Warning("The coordinator of {0} shards has lost its store; it is started again", orphan.Region);
                coordinator.Tell(PoisonPill.Instance);
            }

            _missed[orphan.Region] = 0;
        });
    }

    public ITimerScheduler Timers { get; set; } = null!;

    /// <summary>Of a region's coordinator, where this node has it.</summary>
    internal static string PathOf(string region) => $"/system/sharding/{region}Coordinator/singleton/coordinator";

    protected override void PreStart() => Timers.StartPeriodicTimer(Look.Instance, Look.Instance, _every);

    private sealed record Orphan(string Region, IActorRef? Coordinator) : INoSerializationVerificationNeeded;

    private sealed class Look : Tick<Look>;
}
