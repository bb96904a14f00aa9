using System.Reflection;
using ImageCluster.Api;
using ImageCluster.Api.Documents;
using ImageCluster.Cluster.Measuring;
using ImageCluster.Node.Configuration;
using Prometheus;

namespace ImageCluster.Node.Measuring;

/// <summary>
/// What <c>/metrics</c> shows. The queue is the whole cluster's and the same on every node; it is asked for when it is scraped, and left out where the
/// scheduler does not answer, so that nothing is scaled by an old number. What the work is measured by (<see cref="ClusterMeter"/>) is this node's.
/// </summary>
internal sealed class NodeMetrics : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(3);

    private readonly IClusterOperations _cluster;
    private readonly Gauge _waiting;
    private readonly Gauge _inWork;
    private readonly Gauge _jobs;
    private readonly Gauge _workers;
    private readonly Gauge _freeSlots;
    private readonly Gauge _answers;

    private readonly MeterExport _work;

    // From milliseconds to the hour that a whole image may take.
    private static readonly double[] ShardBuckets = [0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000, 3600];

    /// <param name="unreachable">How many members this node does not reach, or null where it is in no cluster.</param>
    public NodeMetrics(NodeOptions options, IClusterOperations cluster, Func<int?> unreachable)
    {
        _cluster = cluster;
        MetricFactory metrics = Metrics.WithCustomRegistry(Registry);
        _waiting = Queue(metrics, "queue_waiting_shards", "Shards that could be given to workers now.");
        _inWork = Queue(metrics, "queue_working_shards", "Shards that workers have.");
        _jobs = Queue(metrics, "queue_jobs", "Jobs that have shards to give out or in work.");
        _workers = Queue(metrics, "workers", "Workers that are there.");
        _freeSlots = Queue(metrics, "worker_free_slots", "Free slots over all workers.");
        _answers = metrics.CreateGauge("imagecluster_scheduler_answers", "1 where the scheduler answered this scrape.");
        string version = typeof(NodeMetrics).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "";
        metrics.CreateGauge("imagecluster_node_info", "This node.", "version", "roles").WithLabels(version, string.Join(",", options.Roles)).Set(1);
        Gauge unreached = metrics.CreateGauge("imagecluster_unreachable_members", "Members of the cluster that this node does not reach.",
            new GaugeConfiguration { SuppressInitialValue = true });
        Registry.AddBeforeCollectCallback(() =>
        {
            if (unreachable() is { } count)
            {
                unreached.Set(count);
            }
            else
            {
                unreached.Unpublish();
            }
        });
        _work = new MeterExport(ClusterMeter.Name, metrics, ShardBuckets);
        DotNetStats.Register(Registry);
        Registry.AddBeforeCollectCallback(CollectAsync);
    }

    public CollectorRegistry Registry { get; } = Metrics.NewCustomRegistry();

    public void Dispose() => _work.Dispose();

    private static Gauge Queue(MetricFactory metrics, string name, string help) =>
        metrics.CreateGauge($"imagecluster_{name}", help, new GaugeConfiguration { SuppressInitialValue = true });

    private async Task CollectAsync(CancellationToken cancel)
    {
        using CancellationTokenSource patience = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        patience.CancelAfter(Patience);
        try
        {
            Set(await _cluster.GetQueueAsync(patience.Token));
        }
        catch (Exception e) when (e is OperationRefusedException or OperationCanceledException)
        {
            _answers.Set(0);
            foreach (Gauge gauge in new[] { _waiting, _inWork, _jobs, _workers, _freeSlots })
            {
                gauge.Unpublish();
            }
        }
    }

    private void Set(QueueDocument queue)
    {
        _answers.Set(1);
        _waiting.Set(queue.Waiting);
        _inWork.Set(queue.InWork);
        _jobs.Set(queue.Jobs);
        _workers.Set(queue.Workers);
        _freeSlots.Set(queue.FreeSlots);
    }
}
