using System.Collections.Immutable;
using ImageCluster.Cluster.Hosting;
using ImageCluster.Cluster.Messages;
using ImageCluster.Cluster.Tests.Support;
using ImageCluster.Imaging;
using ImageCluster.Jobs;
using ImageCluster.Jobs.Execution;
using ImageCluster.Jobs.Images;
using ImageCluster.Jobs.Manifests;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Cluster.Tests.Jobs;

/// <summary>Jobs whose workers only say that they did something: order, stopping, losses, restarts.</summary>
public sealed class SimulatedJobTests : IDisposable
{
    private static readonly Dictionary<string, string> Roots = new() { ["kvm"] = "/nowhere" };
    private static readonly ImageName A = new("kvm", "a");
    private static readonly ImageName B = new("kvm", "b");
    private static readonly ImageName C = new("kvm", "c");
    private readonly TempDirectory _directory = new();
    private readonly SimulatedRunner _runner = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task All_killed_at_once_the_job_goes_on_by_itself_and_does_nothing_twice()
    {
        int copied = 0;
        using var enough = new ManualResetEventSlim();
        _runner.Before = (task, _, scope) =>
        {
            if (task.Stage == StageKind.Copy && Interlocked.Increment(ref copied) > 8)
            {
                enough.Set();
                scope.Cancel.WaitHandle.WaitOne();
                scope.Cancel.ThrowIfCancellationRequested();
            }
        };
        await using (TestNode first = await StartAsync())
        {
            await first.SubmitAsync("j", Convert(A, B));
            Assert.True(enough.Wait(TestNode.Patience));
            await first.JobAsync("j", job => job.Summary.ShardsDone > 0);
            await first.KillAsync();
        }

        (string, StageKind, long)[] before = [.. _runner.Done];
        _runner.Before = static (_, _, _) => { };
        await using TestNode second = await StartAsync();
        // Nobody says a word to it: it is remembered.
        await TestNode.UntilAsync(() => Task.FromResult(_runner.Done.Any(done => done.Stage == StageKind.Install)), done => done, _ => "not installed");
        JobDescription end = await second.JobEndAsync("j");
        Assert.Equal("succeeded", end.Summary.State);
        (string, StageKind, long)[] copies = [.. _runner.Done.Where(done => done.Stage == StageKind.Copy)];
        // Done but not reported when all was killed: what two slots had in work.
        Assert.InRange(copies.Length, _runner.Shards, _runner.Shards + before.Length);
        Assert.Equal(_runner.Shards, copies.Distinct().Count());
        Assert.Single(_runner.Done, done => done.Stage == StageKind.Probe);
        Assert.Empty((await TestNode.AskAsync<ImageDescription>(second.Images, new DescribeImage(A))).Users);
    }

    [Fact]
    public async Task A_lost_workers_shards_are_given_out_again_when_its_assignment_has_run_out()
    {
        using var inWork = new ManualResetEventSlim();
        var lost = new SimulatedRunner
        {
            Before = (_, _, scope) =>
            {
                inWork.Set();
                scope.Cancel.WaitHandle.WaitOne();
                scope.Cancel.ThrowIfCancellationRequested();
            },
        };
        await using TestNode coordinator = await TestNode.StartAsync(_directory["journal.db"]);
        TestNode dying = await TestNode.StartAsync(_directory["journal.db"], coordinator, coordinator: false, Roots, lost);
        await coordinator.SubmitAsync("j", Convert(A, B));
        Assert.True(inWork.Wait(TestNode.Patience));
        await using TestNode healthy = await TestNode.StartAsync(_directory["journal.db"], coordinator, coordinator: false, Roots, _runner);
        await dying.KillAsync();
        Assert.Equal("succeeded", (await coordinator.JobEndAsync("j")).Summary.State);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Jobs_go_on_at_another_coordinator_when_theirs_is_killed_or_leaves(bool killed)
    {
        using var goOn = new ManualResetEventSlim();
        _runner.Before = (task, shard, scope) =>
        {
            if (task.Stage == StageKind.Copy && shard > 5)
            {
                goOn.Wait(scope.Cancel);
            }
        };
        TestNode first = await TestNode.StartAsync(_directory["journal.db"]);
        await using TestNode second = await TestNode.StartAsync(_directory["journal.db"], first);
        await using TestNode worker = await TestNode.StartAsync(_directory["journal.db"], first, coordinator: false, Roots, _runner, slots: 8);
        string[] jobs = [.. Enumerable.Range(0, 5).Select(job => $"j{job}")];
        foreach (string job in jobs)
        {
            // No job takes the slots that another needs to come so far.
            await second.SubmitAsync(job, Convert(new ImageName("kvm", $"{job}.a"), new ImageName("kvm", $"{job}.b")), new JobSettings { MaxShards = 1 });
        }

        await second.JobAsync(jobs[0], job => job.Summary is { Stage: StageKind.Copy, ShardsInWork: > 0 });
        var cluster = Akka.Cluster.Cluster.Get(second.System);
        Akka.Actor.Address gone = Akka.Cluster.Cluster.Get(first.System).SelfAddress;
        if (killed)
        {
            await first.KillAsync();
            // As the split-brain resolver decides when it is sure.
            cluster.Down(gone);
        }
        else
        {
            await Akka.Actor.CoordinatedShutdown.Get(first.System).Run(Akka.Actor.CoordinatedShutdown.ClusterLeavingReason.Instance);
            await first.DisposeAsync();
        }

        goOn.Set();
        foreach (string job in jobs)
        {
            Assert.Equal("succeeded", (await second.JobEndAsync(job)).Summary.State);
        }

        Assert.Equal(jobs.Length, _runner.Done.Count(done => done.Stage == StageKind.Install));
    }

    [Fact]
    public async Task The_journal_grows_by_less_than_300_bytes_a_shard()
    {
        const int Shards = 2048;
        var runner = new SimulatedRunner { Shards = Shards };
        await using TestNode node = await TestNode.StartAsync(
            _directory["journal.db"], roots: Roots, runner: runner, settings: TestNode.Fast with { TaskTime = TimeSpan.FromHours(1) });
        await TestNode.AskAsync<ImageDescription>(node.Images, new DescribeImage(A));
        long before = JournalBytes();
        await node.SubmitAsync("j", Convert(A, B));
        Assert.Equal("succeeded", (await node.JobEndAsync("j")).Summary.State);
        Assert.InRange((JournalBytes() - before) / (double)Shards, 50, 300);
    }

    [Fact]
    public async Task A_comparison_stops_at_the_first_difference_and_reports_the_lowest()
    {
        _runner.DifferenceIn = shard => shard is 0 or 1 ? shard * SimulatedRunner.ShardLength + 5 : null;
        // What is not needed any more ends only because it is told to.
        _runner.Before = (task, shard, scope) =>
        {
            if (task.Stage == StageKind.Compare && shard > 1)
            {
                scope.Cancel.WaitHandle.WaitOne(TestNode.Patience);
                scope.Cancel.ThrowIfCancellationRequested();
            }
        };
        await using TestNode node = await StartAsync();
        await node.SubmitAsync("j", new CompareSpec { First = A, Second = B });
        JobDescription end = await node.JobEndAsync("j");
        Assert.Equal(("succeeded", (long?)5), (end.Summary.State, end.Summary.FirstDifference));
        Assert.DoesNotContain(_runner.Done, done => done.Stage == StageKind.Compare && done.Shard > 1);
    }

    [Fact]
    public async Task A_commit_holds_the_whole_chain_and_empties_its_top_last()
    {
        _runner.BackingOf = image => image == C ? B : image == B ? A : null;
        await using TestNode node = await StartAsync();
        ImmutableList<JobUse> uses = [];
        _runner.Before = (task, _, _) =>
        {
            if (task.Stage == StageKind.Empty)
            {
                uses = TestNode.AskAsync<JobDescription>(node.Jobs, new DescribeJob("j")).Result.Summary.Uses;
            }
        };
        await node.SubmitAsync("j", new CommitSpec { Top = C });
        Assert.Equal("succeeded", (await node.JobEndAsync("j")).Summary.State);
        Assert.Equal([(A, UsePurpose.Read), (B, UsePurpose.Commit), (C, UsePurpose.Empty)], uses.Select(use => (use.Image, use.Purpose)));
        Assert.Equal(
            [StageKind.Probe, StageKind.Probe, .. Enumerable.Repeat(StageKind.Merge, _runner.Shards), StageKind.Finish, StageKind.Empty],
            _runner.Done.Select(done => done.Stage));
        // B is known to carry C from then on: nobody else may change it.
        await node.SubmitAsync("k", new ChangeSpec { Image = B, Change = UsePurpose.Resize, Size = 1 << 30 });
        JobDescription refused = await node.JobEndAsync("k");
        Assert.Equal("failed", refused.Summary.State);
        Assert.Contains("kvm:c stands on it", refused.Summary.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_shard_that_fails_for_good_fails_the_job_which_cleans_up_and_gives_its_images_back()
    {
        _runner.Before = (task, shard, _) =>
        {
            if (task.Stage == StageKind.Copy && shard == 4)
            {
                throw new ImageException(ImageErrorKind.NoSpace, "/kvm/b", "No space left on device");
            }
        };
        await using TestNode node = await StartAsync();
        await node.SubmitAsync("j", Convert(A, B));
        JobDescription end = await node.JobEndAsync("j");
        Assert.Equal(("failed", "copying failed: shard 4 of 20: /kvm/b: No space left on device"), (end.Summary.State, end.Summary.Reason));
        Assert.Equal(StageKind.CleanUp, _runner.Done.Last().Stage);
        ImageDescription target = await TestNode.AskAsync<ImageDescription>(node.Images, new DescribeImage(B));
        Assert.Empty(target.Users);
        Assert.Equal(0, target.Shards);
    }

    [Fact]
    public async Task Paused_it_stands_still_resumed_it_goes_on_cancelled_it_cleans_up()
    {
        using var goOn = new SemaphoreSlim(0);
        _runner.Before = (task, _, scope) =>
        {
            if (task.Stage == StageKind.Copy)
            {
                goOn.Wait(scope.Cancel);
            }
        };
        await using TestNode node = await StartAsync();
        await node.SubmitAsync("j", Convert(A, B));
        await node.JobAsync("j", job => job.Summary is { Stage: StageKind.Copy, ShardsInWork: 2 });
        await TestNode.AskAsync<JobDone>(node.Jobs, new PauseJob("j", default, "ann"));
        goOn.Release(2);
        JobDescription paused = await node.JobAsync("j", job => job.Summary.ShardsInWork == 0);
        Assert.Equal(("paused", "paused by ann", 2), (paused.Summary.State, paused.Summary.Reason, paused.Summary.ShardsDone));
        await TestNode.AskAsync<JobDone>(node.Jobs, new ResumeJob("j", default, "ann"));
        await node.JobAsync("j", job => job.Summary.ShardsInWork > 0);
        await TestNode.AskAsync<JobDone>(node.Jobs, new CancelJob("j", default, "bob"));
        JobDescription end = await node.JobEndAsync("j");
        Assert.Equal(("cancelled", "cancelled by bob"), (end.Summary.State, end.Summary.Reason));
        Assert.Equal(StageKind.CleanUp, _runner.Done.Last().Stage);
    }

    [Fact]
    public async Task The_same_job_twice_is_one_and_another_by_its_id_is_refused()
    {
        await using TestNode node = await StartAsync();
        await node.SubmitAsync("j", Convert(A, B));
        await node.SubmitAsync("j", Convert(A, B));
        await node.JobEndAsync("j");
        await node.SubmitAsync("j", Convert(A, B));
        Assert.Equal(RefusalKind.Conflict, (await TestNode.AskAsync<JobRefused>(node.Jobs, new SubmitJob("j", default, Convert(A, C), JobSettings.Default))).Refusal.Kind);
        Assert.Equal(RefusalKind.Unknown, (await TestNode.AskAsync<JobRefused>(node.Jobs, new DescribeJob("k"))).Refusal.Kind);
        Assert.Equal(RefusalKind.Invalid, (await TestNode.AskAsync<JobRefused>(node.Jobs, new FailJob("j", default, "no"))).Refusal.Kind);
        Assert.Single(_runner.Done, done => done.Stage == StageKind.Install);
    }

    [Fact]
    public async Task A_root_that_no_worker_reaches_is_named_as_what_the_job_waits_for()
    {
        await using TestNode node = await StartAsync();
        await node.SubmitAsync("j", Convert(new ImageName("far", "a"), B));
        await node.JobAsync("j", job => job.Summary.Reason == "waits for a free worker that reaches far, kvm");
        await TestNode.AskAsync<JobDone>(node.Jobs, new CancelJob("j", default, "ann"));
        Assert.Equal("cancelled", (await node.JobEndAsync("j")).Summary.State);
    }

    [Fact]
    public async Task In_every_pairing_on_one_image_the_second_waits_or_shares_and_says_for_whom()
    {
        (string Name, JobSpec Spec, bool Reads)[] jobs =
        [
            ("convert-from", Convert(A, B), true),
            ("convert-to", Convert(C, A), false),
            ("compare", new CompareSpec { First = A, Second = C }, true),
            ("commit-from", new CommitSpec { Top = A }, false),
            ("rebase", new RebaseSpec { Image = A, Backing = C }, false),
            ("resize", new ChangeSpec { Image = A, Change = UsePurpose.Resize, Size = 1 << 30 }, false),
        ];
        // Workers have slots left for the second.
        var few = new JobSettings { MaxShards = 4 };
        _runner.BackingOf = image => image == A ? new ImageName("kvm", "base") : null;
        _runner.Before = (task, _, scope) =>
        {
            // Those that have their images stay where they are.
            if (task.Stage != StageKind.Probe && task.Stage != StageKind.CleanUp)
            {
                scope.Cancel.WaitHandle.WaitOne();
                scope.Cancel.ThrowIfCancellationRequested();
            }
        };
        await using TestNode node = await StartAsync(slots: 16);
        foreach ((string first, JobSpec firstSpec, bool firstReads) in jobs)
        {
            foreach ((string second, JobSpec secondSpec, bool secondReads) in jobs)
            {
                (string one, string two) = ($"{first}/{second}/1", $"{first}/{second}/2");
                await node.SubmitAsync(one, firstSpec, few);
                await node.JobAsync(one, job => job.Summary is { Phase: JobPhase.Working, ShardsInWork: > 0 });
                await node.SubmitAsync(two, Other(secondSpec), few);
                JobDescription seen = await node.JobAsync(two, job => job.Summary.Phase == JobPhase.Working || job.Summary.Reason.StartsWith("waits: ", StringComparison.Ordinal));
                if (firstReads && secondReads)
                {
                    Assert.Equal(JobPhase.Working, seen.Summary.Phase);
                }
                else
                {
                    // Of the chain's images that the two do not share, the lowest is asked for first.
                    Assert.StartsWith("waits: kvm:", seen.Summary.Reason, StringComparison.Ordinal);
                    Assert.EndsWith($" by {one}", seen.Summary.Reason, StringComparison.Ordinal);
                }

                foreach (string job in new[] { two, one })
                {
                    await TestNode.AskAsync<JobDone>(node.Jobs, new CancelJob(job, default, "test"));
                    await node.JobEndAsync(job);
                }
            }
        }
    }

    [Fact]
    public async Task A_job_that_waits_too_long_for_an_image_fails_and_says_so()
    {
        _runner.Before = (task, _, scope) =>
        {
            if (task is { JobId: "one", Stage: StageKind.Copy })
            {
                scope.Cancel.WaitHandle.WaitOne();
                scope.Cancel.ThrowIfCancellationRequested();
            }
        };
        await using TestNode node = await StartAsync(TestNode.Fast with { ImageWait = TimeSpan.FromSeconds(1) });
        await node.SubmitAsync("one", Convert(A, B));
        await node.JobAsync("one", job => job.Summary.Stage == StageKind.Copy);
        await node.SubmitAsync("two", Convert(C, B));
        JobDescription end = await node.JobEndAsync("two");
        Assert.Equal(("failed", "kvm:b is being filled as a target by one; the job waited for 00:00:01"), (end.Summary.State, end.Summary.Reason));
        await TestNode.AskAsync<JobDone>(node.Jobs, new CancelJob("one", default, "test"));
        await node.JobEndAsync("one");
    }

    private long JournalBytes() => System.IO.Directory.EnumerateFiles(_directory.Path, "journal.db*").Sum(file => new FileInfo(file).Length);

    // So that the second job meets the first on A alone.
    private static JobSpec Other(JobSpec spec) => spec switch
    {
        ConvertSpec convert when convert.Source == A => convert with { Target = new ImageName("kvm", "b2") },
        ConvertSpec convert => convert with { Source = new ImageName("kvm", "c2") },
        CompareSpec compare => compare with { Second = new ImageName("kvm", "c2") },
        RebaseSpec rebase => rebase with { Backing = new ImageName("kvm", "c2") },
        _ => spec,
    };

    private static ConvertSpec Convert(ImageName source, ImageName target) =>
        new() { Source = source, Target = target, TargetFormat = "qcow2", Verify = VerifyMode.None };

    private Task<TestNode> StartAsync(ImageClusterSettings? settings = null, int slots = 2) =>
        TestNode.StartAsync(_directory["journal.db"], roots: Roots, runner: _runner, settings: settings, slots: slots);
}
