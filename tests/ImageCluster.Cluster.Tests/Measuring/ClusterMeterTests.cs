using System.Collections.Immutable;
using System.Diagnostics.Metrics;
using Akka.Actor;
using ImageCluster.Cluster.Hosting;
using ImageCluster.Cluster.Images;
using ImageCluster.Cluster.Measuring;
using ImageCluster.Cluster.Tests.Support;
using ImageCluster.Jobs;
using ImageCluster.Jobs.Images;
using Xunit.Abstractions;

namespace ImageCluster.Cluster.Tests.Measuring;

public sealed class ClusterMeterTests(ITestOutputHelper output) : ActorTest(output)
{
    [Fact]
    public async Task A_journal_that_takes_nothing_is_counted()
    {
        var image = new ImageName("kvm", "metered");
        // Other tests may make journals fail meanwhile: it is enough that it is counted here.
        using var failures = new Counted("journal_failures_total", "image", "write");
        IActorRef actor = Sys.ActorOf(Props.Create(() => new ImageActor(image.Key, new ImageClusterSettings(), TimeProvider.System)));
        Watch(actor);
        var take = new TakeUse(image, default, "job", UsePurpose.Fill, TimeSpan.FromSeconds(60), "", ImmutableList<ImageName>.Empty);
        await FaultyJournal.Set(Sys, FaultyJournal.Mode.Fail);
        actor.Tell(take, TestActor);
        await ExpectTerminatedAsync(actor, Soon);
        Assert.True(failures.Count >= 1);
    }

    /// <summary>What an instrument counted under certain tags.</summary>
    private sealed class Counted : IDisposable
    {
        private readonly MeterListener _listener = new();
        private long _count;

        public Counted(string instrument, params string[] tags)
        {
            _listener.InstrumentPublished = (published, listener) =>
            {
                if (published.Meter.Name == ClusterMeter.Name && published.Name == instrument)
                {
                    listener.EnableMeasurementEvents(published);
                }
            };
            _listener.SetMeasurementEventCallback<long>((_, by, with, _) =>
            {
                if (tags.SequenceEqual(with.ToArray().Select(tag => $"{tag.Value}")))
                {
                    Interlocked.Add(ref _count, by);
                }
            });
            _listener.Start();
        }

        public long Count => Interlocked.Read(ref _count);

        public void Dispose() => _listener.Dispose();
    }
}
