using System.Diagnostics.Metrics;
using System.Runtime.CompilerServices;
using ImageCluster.Api;
using ImageCluster.Api.Documents;
using ImageCluster.Cluster.Measuring;
using ImageCluster.Node.Tests.Support;

namespace ImageCluster.Node.Tests.Measuring;

public sealed class NodeMetricsTests
{
    [Fact]
    public async Task The_schedulers_queue_is_there_to_scale_by()
    {
        await using RunningApi api = await RunningApi.Start();
        api.Cluster.Queue = new QueueDocument(2, 4_000_000, 7, 3, 1);
        string[] lines = (await api.Http.GetStringAsync("/metrics")).Split('\n');
        Assert.Contains("imagecluster_queue_waiting_shards 4000000", lines);
        Assert.Contains("imagecluster_queue_working_shards 7", lines);
        Assert.Contains("imagecluster_queue_jobs 2", lines);
        Assert.Contains("imagecluster_workers 3", lines);
        Assert.Contains("imagecluster_worker_free_slots 1", lines);
        Assert.Contains("imagecluster_scheduler_answers 1", lines);
        Assert.Contains(lines, line => line.StartsWith("imagecluster_node_info{", StringComparison.Ordinal) && line.Contains("roles=\"coordinator,worker\"", StringComparison.Ordinal));
        Assert.Contains(lines, line => line.StartsWith("process_cpu_seconds_total", StringComparison.Ordinal));
    }

    [Fact]
    public async Task The_page_names_every_metric_with_its_unit()
    {
        string page = File.ReadAllText(Path.Join(Path.GetDirectoryName(ThisFile()), "../../../docs/node.md"));
        var instruments = new List<Instrument>();
        using var listener = new MeterListener { InstrumentPublished = (instrument, _) => instruments.Add(instrument) };
        // The node that is started loads the meter.
        await using RunningApi api = await RunningApi.Start();
        RuntimeHelpers.RunClassConstructor(typeof(ClusterMeter).TypeHandle);
        listener.Start();
        Instrument[] own = [.. instruments.Where(instrument => instrument.Meter.Name == ClusterMeter.Name)];
        Assert.NotEmpty(own);
        Assert.All(own, instrument => Assert.Matches($@"\| `imagecluster_{instrument.Name}[`{{]", page));
    }

    private static string ThisFile([CallerFilePath] string path = "") => path;

    [Fact]
    public async Task Nothing_is_scaled_by_an_old_number()
    {
        await using RunningApi api = await RunningApi.Start();
        api.Cluster.Queue = new QueueDocument(2, 9, 7, 3, 1);
        Assert.Contains("\nimagecluster_queue_waiting_shards 9\n", await api.Http.GetStringAsync("/metrics"), StringComparison.Ordinal);
        api.Cluster.Trouble = new OperationRefusedException(RefusalReason.Unavailable, "away");
        string without = await api.Http.GetStringAsync("/metrics");
        Assert.DoesNotContain("\nimagecluster_queue_waiting_shards ", without, StringComparison.Ordinal);
        Assert.Contains("\nimagecluster_scheduler_answers 0\n", without, StringComparison.Ordinal);
        api.Cluster.Trouble = null;
        Assert.Contains("\nimagecluster_queue_waiting_shards 9\n", await api.Http.GetStringAsync("/metrics"), StringComparison.Ordinal);
    }
}
