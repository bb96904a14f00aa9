using System.Collections.Immutable;
using CsCheck;
using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Storage;
using ImageCluster.Jobs.Execution;
using ImageCluster.Testing;
using ImageCluster.Testing.Qemu;
using ImageCluster.Work.Leases;
using ImageCluster.Work.Running;
using ImageCluster.Work.Tests.Support;

namespace ImageCluster.Work.Tests.Running;

/// <summary>Workers that lose their lease, wake up late, do things twice, or of which nobody hears: the image is whole in the end.</summary>
public sealed class ConvertLeaseTests : IDisposable
{
    private const long Size = (2L << 29) + (70 << 20) + 512;

    private readonly WorkLab _lab = new();

    public void Dispose() => _lab.Dispose();

    [SkippableTheory]
    [InlineData("qcow2")]
    [InlineData("raw")]
    [InlineData("vdi")]
    [InlineData("vhdx")]
    public void Every_shard_done_twice_gives_the_same(string format)
    {
        QemuTools.Require();
        _lab.AddRaw("in/a.raw", Size);
        JobDriver driver = new(Spec(format), _lab.Roots)
        {
            Workers = 3,
            Around = (runner, task, shard, scope) =>
            {
                runner.Run(task, shard, scope);
                return runner.Run(task, shard, scope);
            },
        };
        _lab.AssertDone(driver, format);
    }

    [SkippableTheory]
    [InlineData("qcow2", StageKind.Create)]
    [InlineData("qcow2", StageKind.Copy)]
    [InlineData("qcow2", StageKind.Finish)]
    [InlineData("qcow2", StageKind.Verify)]
    [InlineData("qcow2", StageKind.Install)]
    [InlineData("raw", StageKind.Copy)]
    [InlineData("vdi", StageKind.Copy)]
    [InlineData("vdi", StageKind.Finish)]
    public void A_report_that_is_lost_does_no_harm(string format, StageKind stage)
    {
        QemuTools.Require();
        _lab.AddRaw("in/a.raw", Size);
        int lost = 0;
        JobDriver driver = new(Spec(format), _lab.Roots)
        {
            Around = (runner, task, shard, scope) =>
            {
                ShardResult result = runner.Run(task, shard, scope);
                return task.Stage == stage && Interlocked.Increment(ref lost) <= 2 ? throw new LeaseLostException() : result;
            },
        };
        _lab.AssertDone(driver, format);
        Assert.True(lost > 1);
    }

    [SkippableTheory]
    [InlineData("qcow2")]
    [InlineData("raw")]
    [InlineData("vdi")]
    [InlineData("vmdk")]
    public void A_lease_lost_in_the_middle_ends_all_writing_and_the_next_worker_goes_on(string format)
    {
        QemuTools.Require();
        WorkLab.Write(_lab["in/a.raw"], Size, Enumerable.Range(0, 3).Select(i => (((long)i << 29) + (1 << 20), GuestContent.Make(8 << 20, i))));
        int lost = 0;
        JobDriver driver = new(Spec(format), _lab.Roots)
        {
            Workers = 1,
            // A second thread could have a write on its way that nothing calls back.
            WholeThreads = 1,
            Around = (runner, task, shard, scope) =>
            {
                if (task.Stage != StageKind.Copy || Interlocked.Increment(ref lost) > 2)
                {
                    return runner.Run(task, shard, scope);
                }

                // The third read is let through and what it gave may no longer be written.
                int reads = 0;
                byte[]? before = null;
                TaskScope losing = scope with
                {
                    Throttle = _ =>
                    {
                        if (++reads == 3)
                        {
                            scope.Lease.Revoke();
                            before = Staged();
                        }
                    },
                };
                Assert.Throws<LeaseLostException>(() => runner.Run(task, shard, losing));
                Assert.NotNull(before);
                Assert.Equal(before, Staged());
                throw new LeaseLostException();
            },
        };
        _lab.AssertDone(driver, format);
        Assert.True(lost > 2);
    }

    [SkippableTheory]
    [InlineData("qcow2")]
    [InlineData("raw")]
    [InlineData("vdi")]
    [InlineData("vmdk")]
    public void A_worker_that_is_frozen_past_its_lease_and_woken_writes_nothing(string format)
    {
        QemuTools.Require();
        WorkLab.Write(_lab["in/a.raw"], Size, Enumerable.Range(0, 3).Select(i => (((long)i << 29) + (1 << 20), GuestContent.Make(8 << 20, i))));
        using var frozen = new ManualResetEventSlim();
        using var wake = new ManualResetEventSlim();
        Exception? woken = null;
        Thread? sleeper = null;
        JobDriver driver = new(Spec(format), _lab.Roots)
        {
            Around = (runner, task, shard, scope) =>
            {
                if (task.Stage != StageKind.Copy || Interlocked.CompareExchange(ref sleeper, new Thread(() => Sleep(runner, task, shard, scope)), null) is not null)
                {
                    return runner.Run(task, shard, scope);
                }

                sleeper.Start();
                Assert.True(frozen.Wait(TimeSpan.FromMinutes(1)));
                // By its own clock, and before anybody else gets the shard.
                scope.Lease.Revoke();
                throw new LeaseLostException();
            },
        };
        _lab.AssertDone(driver, format);
        wake.Set();
        sleeper!.Join();
        Assert.IsType<LeaseLostException>(woken);
        QemuTools.Img("compare", "-f", "raw", "-F", format, _lab["in/a.raw"], _lab["out/sub/b.img"]);
        _lab.AssertClean();

        void Sleep(IShardRunner runner, WorkTask task, long shard, TaskScope scope)
        {
            int reads = 0;
            try
            {
                runner.Run(task, shard, scope with
                {
                    Throttle = _ =>
                    {
                        if (Interlocked.Increment(ref reads) == 2)
                        {
                            frozen.Set();
                            wake.Wait();
                        }
                    },
                });
            }
            catch (Exception e)
            {
                woken = e;
            }
        }
    }

    [SkippableFact]
    public void Whatever_goes_wrong_and_whoever_does_it_again_the_target_is_the_same()
    {
        QemuTools.Require();
        string source = _lab.AddRaw("in/a.raw", Size);
        (string Format, string Options)[] targets = [("qcow2", "cluster_size=4k"), ("qcow2", ""), ("vmdk", ""), ("vhdx", ""), ("raw", ""), ("vdi", ""), ("parallels", "")];
        string? digest = null;
        int number = 0;
        Gen.Select(Gen.Int[0, targets.Length - 1], Gen.Int[1, 4], Gen.Int).Holds(
            c =>
            {
                (string format, string options) = targets[c.Item1];
                string name = $"{number++}.img";
                var chance = new Dice(c.Item3);
                JobDriver driver = new(
                    Spec(format) with
                    {
                        Target = WorkLab.Out(name),
                        Options = options.Length == 0 ? ImmutableSortedDictionary<string, string>.Empty : ImmutableSortedDictionary<string, string>.Empty.Add("cluster_size", "4k"),
                    },
                    _lab.Roots)
                {
                    Workers = c.Item2,
                    Around = (runner, task, shard, scope) => Stumble(chance, runner, task, shard, scope),
                };
                JobEnd end = driver.Run();
                Assert.True(end.Outcome == JobOutcome.Succeeded, end.Reason);
                Assert.Equal(digest ??= driver.Job.Digest, driver.Job.Digest);
                QemuTools.Img("compare", "-f", "raw", "-F", format, source, _lab[$"out/{name}"]);
                if (format != "raw")
                {
                    QemuTools.Img("check", "-f", format, _lab[$"out/{name}"]);
                }

                File.Delete(_lab[$"out/{name}"]);
                _lab.AssertClean();
            },
            cases: 14);
    }

    private static ShardResult Stumble(Dice chance, IShardRunner runner, WorkTask task, long shard, TaskScope scope)
    {
        switch (chance.Next(8))
        {
            case 0:
                // Done, and nobody hears of it.
                runner.Run(task, shard, scope);
                throw new LeaseLostException();
            case 1:
                // Stopped at some read.
                int left = chance.Next(4);
                runner.Run(task, shard, scope with
                {
                    Throttle = _ =>
                    {
                        if (Interlocked.Decrement(ref left) < 0)
                        {
                            scope.Lease.Revoke();
                        }
                    },
                });
                throw new LeaseLostException();
            case 2:
                runner.Run(task, shard, scope);
                return runner.Run(task, shard, scope);
            default:
                return runner.Run(task, shard, scope);
        }
    }

    private sealed class Dice(int seed)
    {
        private readonly Lock _lock = new();
        private readonly Random _random = new(seed);

        public int Next(int sides)
        {
            lock (_lock)
            {
                return _random.Next(sides);
            }
        }
    }

    [Fact]
    public void A_cancelled_task_stops_between_reads()
    {
        _lab.AddRaw("in/a.raw", Size);
        using var cancel = new CancellationTokenSource();
        JobDriver driver = new(Spec("raw"), _lab.Roots)
        {
            Workers = 1,
            Around = (runner, task, shard, scope) =>
            {
                if (task.Stage == StageKind.Copy)
                {
                    TaskScope stopped = scope with { Cancel = cancel.Token, Throttle = _ => cancel.Cancel() };
                    Assert.Throws<OperationCanceledException>(() => runner.Run(task, shard, stopped));
                }

                return runner.Run(task, shard, scope);
            },
        };
        Assert.Equal(JobOutcome.Succeeded, driver.Run().Outcome);
    }

    private static ConvertSpec Spec(string format) => WorkLab.ConvertTo(format);

    private byte[] Staged()
    {
        string file = Directory.EnumerateFiles(_lab["out"], "b.img", SearchOption.AllDirectories).Single();
        using LayeredDisk disk = new ChainOpener(new LocalFileLocator()).Open(file, new ChainOptions { Format = "raw", Mode = OpenMode.ReadOnly with { Lock = ImageLock.None } });
        // Sparse: what is data, with where it is.
        var bytes = new List<byte>();
        foreach (DiskExtent extent in disk.MapRange(0, disk.VirtualSize))
        {
            if (extent.Extent.Kind == Imaging.Extents.ExtentKind.Data)
            {
                byte[] data = new byte[extent.Extent.Length];
                disk.Read(extent, data);
                bytes.AddRange(BitConverter.GetBytes(extent.Extent.Start));
                bytes.AddRange(data);
            }
        }

        return [.. bytes];
    }
}
