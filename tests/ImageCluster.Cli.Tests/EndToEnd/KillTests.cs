using ImageCluster.Cli.Journal;
using ImageCluster.Cli.Tests.Support;
using ImageCluster.Jobs.Contracts;
using ImageCluster.Jobs.Execution;
using ImageCluster.Testing;
using ImageCluster.Testing.Qemu;

namespace ImageCluster.Cli.Tests.EndToEnd;

/// <summary>The real process, killed with -9 at random instants until it is done, and stopped by signals.</summary>
public sealed class KillTests : IDisposable
{
    private const int MaxKills = 12;

    private readonly Lab _lab = new();

    public void Dispose() => _lab.Dispose();

    [SkippableTheory]
    [InlineData("qcow2", "cluster_size=4k")]
    [InlineData("vmdk", "subformat=monolithicSparse")]
    [InlineData("raw", "")]
    public void KilledAtRandomInstantsItEndsWithNothingLostAndNothingDoneTwice(string format, string option)
    {
        QemuTools.Require();
        for (int i = 0; i < 3; i++)
        {
            // Shards of 64 MiB (qcow2 with small clusters) or 512 MiB; a little data in each.
            _lab.AddSparse($"{i}.raw", seed: 10 * i, shards: 3, bytesInEach: 1 << 20);
        }

        int seed = TestSeed.Value;
        Random random = new(seed);
        string[] options = option.Length > 0 ? ["-o", option] : [];
        string[] command = ["migrate", "--to", format, .. options, "src", "out", "--output", "plain", "--images", "2", "--rate", "10MiB/s"];
        int kills = 0;
        bool done = false;
        while (kills < MaxKills && !done)
        {
            using CliProcess process = _lab.Start(command);
            if (process.Wait(TimeSpan.FromMilliseconds(random.Next(450, 1300))))
            {
                process.Wait().Expect(0);
                done = true;
            }
            else
            {
                process.Kill();
                kills++;
            }

            AssertNoHalfImages(format);
        }

        if (!done)
        {
            CliProcess.Run(_lab.Path, command[..^2]).Expect(0);
        }

        Assert.True(kills > 1, $"seed {seed}: killed {kills} times only");
        Assert.Equal([$"0.{format}", $"1.{format}", $"2.{format}"], _lab.Targets());
        for (int i = 0; i < 3; i++)
        {
            QemuTools.Img("compare", "-f", "raw", "-F", format, _lab[$"src/{i}.raw"], _lab[$"out/{i}.{format}"]);
            if (format != "raw")
            {
                QemuTools.Img("check", "-f", format, _lab[$"out/{i}.{format}"]);
            }
        }

        AssertEachShardOnce(seed);
    }

    [SkippableTheory]
    [InlineData("INT")]
    [InlineData("TERM")]
    public void ASignalStopsItInOrderAndTheNextRunGoesOn(string signal)
    {
        QemuTools.Require();
        _lab.AddSparse("a.raw", seed: 5, shards: 4, bytesInEach: 2 << 20);
        string[] command = ["migrate", "--to", "raw", "src", "out", "--output", "json-lines", "--verify", "digest"];
        using (CliProcess process = _lab.Start([.. command, "--rate", "2MiB/s"]))
        {
            // Until something was done that must not be done again.
            for (int i = 0; i < 300 && process.Output.Split("\"event\":\"progress\"").Length < 3 && !process.HasExited; i++)
            {
                process.Wait(TimeSpan.FromMilliseconds(50));
            }

            process.Signal(signal);
            CliRun stopped = process.Wait().Expect(ExitCode.Interrupted);
            Assert.Equal("stopped", (string?)stopped.JsonLines[^1]["outcome"]);
        }

        Assert.DoesNotContain("a.raw", _lab.Targets());
        CliRun resumed = CliProcess.Run(_lab.Path, command).Expect(0);
        Assert.True((long)resumed.JsonLines[^1]["images"]![0]!["resumedBytes"]! > 0);
        Assert.Equal(["a.raw"], _lab.Targets());
        QemuTools.Img("compare", "-f", "raw", "-F", "raw", _lab["src/a.raw"], _lab["out/a.raw"]);
        AssertEachShardOnce(0);
    }

    // Under its final name an image is whole at any instant.
    private void AssertNoHalfImages(string format)
    {
        foreach (string target in _lab.Targets().Where(target => !target.Contains(".imagecluster-partial", StringComparison.Ordinal)))
        {
            QemuTools.Img("compare", "-f", "raw", "-F", format, _lab[$"src/{Path.ChangeExtension(target, "raw")}"], _lab[$"out/{target}"]);
        }
    }

    private void AssertEachShardOnce(int seed)
    {
        string journal = Directory.GetFiles(_lab["out/.imagecluster"], "*.journal.db").Single();
        using EventStore store = EventStore.Open(journal);
        Dictionary<string, JobState> jobs = [];
        HashSet<(string, StageKind, long)> done = [];
        foreach (StoredEvent stored in store.ReadAll().Where(stored => stored.Stream.StartsWith("job:", StringComparison.Ordinal)))
        {
            JobEvent e = EventCodec.Decode<JobEvent>(stored.Manifest, stored.Payload);
            JobState job = jobs.GetValueOrDefault(stored.Stream, JobState.New);
            if (e is ShardsCompleted completed)
            {
                foreach (ShardResult result in completed.Results)
                {
                    Assert.True(done.Add((stored.Stream, job.Stage, result.Shard)), $"seed {seed}: shard {result.Shard} of {job.Stage} was done twice");
                }
            }

            jobs[stored.Stream] = JobRecord.Apply(job, e);
        }

        // One job a source: nothing was ever begun anew once it was planned.
        Assert.All(jobs.GroupBy(job => ((ConvertSpec)job.Value.Spec!).Source), group =>
            Assert.Single(group, job => job.Value.Plan is not null));
        Assert.All(jobs.Values.Where(job => job.Plan is not null), job => Assert.Equal(JobOutcome.Succeeded, job.End!.Outcome));
    }
}
