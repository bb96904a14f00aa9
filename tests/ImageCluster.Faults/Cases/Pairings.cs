using ImageCluster.Api.Documents;

namespace ImageCluster.Faults.Cases;

/// <summary>Two jobs on one image at once, in every pairing of operations: one waits for the other or is refused, and the image stays what it is.</summary>
internal sealed class Pairings
{
    private const long Mebibyte = 1 << 20;

    private readonly FaultCluster _cluster;
    private readonly Random _random;
    private readonly string _model;
    private long _size = 2048 * Mebibyte;
    private int _number;

    private Pairings(FaultCluster cluster, Random random) => (_cluster, _random, _model) = (cluster, random, Path.Join(cluster.Disks, "0.img"));

    public static FaultCase Case { get; } = new("two-jobs", null, (cluster, random) => new Pairings(cluster, random).RunAsync());

    private string Top => Path.Join(_cluster.Targets, "top.qcow2");

    private (string Name, Func<JobSpecDocument> Spec)[] Operations =>
    [
        ("convert", () => new ConvertSpecDocument { Source = "targets:top.qcow2", Target = $"targets:copy{_number++}.qcow2", TargetFormat = "qcow2" }),
        ("convert onto", () => new ConvertSpecDocument { Source = "disks:0.img", SourceFormat = "raw", Target = "targets:top.qcow2", TargetFormat = "qcow2" }),
        ("compare", () => new CompareSpecDocument { First = "targets:top.qcow2", Second = "disks:0.img", SecondFormat = "raw" }),
        ("rebase", () => new RebaseSpecDocument { Image = "targets:top.qcow2", Backing = "targets:base.qcow2", BackingFormat = "qcow2" }),
        ("commit", () => new CommitSpecDocument { Top = "targets:top.qcow2" }),
        ("resize", () => new ChangeSpecDocument { Image = "targets:top.qcow2", Change = "resize", Size = _size + ++_number * Mebibyte }),
        ("amend", () => new ChangeSpecDocument { Image = "targets:top.qcow2", Change = "amend", Options = new Dictionary<string, string> { ["lazy_refcounts"] = _number++ % 2 == 0 ? "on" : "off" } }),
        ("snapshot", () => new ChangeSpecDocument { Image = "targets:top.qcow2", Change = "snapshotCreate", Snapshot = $"s{_number++}" }),
        ("check -r", () => new ChangeSpecDocument { Image = "targets:top.qcow2", Change = "repair", Force = true }),
    ];

    private async Task RunAsync()
    {
        Disks.Make(_cluster, 1, _random, mebibytesOfData: 8);
        Shell.Run("qemu-img", "convert", "-f", "raw", "-O", "qcow2", _model, Path.Join(_cluster.Targets, "base.qcow2"));
        Shell.Run("qemu-img", "create", "-q", "-f", "qcow2", "-b", "base.qcow2", "-F", "qcow2", Top);
        await _cluster.StartAsync();
        await ABaseWithAnotherOverlayIsNotWrittenToAsync();
        int refused = 0;
        int pairs = 0;
        (string Name, Func<JobSpecDocument> Spec)[] operations = Operations;
        for (int a = 0; a < operations.Length; a++)
        {
            for (int b = a; b < operations.Length; b++)
            {
                WriteToBoth();
                refused += await PairAsync(operations[a], operations[b], $"pair{pairs++}");
            }
        }

        await _cluster.NothingIsLeftAsync();
        _cluster.Told = $"{pairs} pairings, {refused} jobs refused or failed with a reason";
    }

    private async Task<int> PairAsync((string Name, Func<JobSpecDocument> Spec) one, (string Name, Func<JobSpecDocument> Spec) other, string id)
    {
        Task<JobDocument> first = _cluster.SubmitJobAsync($"{id}a", one.Spec());
        await Task.Delay(_random.Next(400));
        await Task.WhenAll(first, _cluster.SubmitJobAsync($"{id}b", other.Spec()));
        JobDocument[] ends = [await _cluster.JobEndAsync($"{id}a"), await _cluster.JobEndAsync($"{id}b")];
        string what = $"{one.Name} with {other.Name}";
        if (ends.FirstOrDefault(job => job.State != "succeeded" && string.IsNullOrEmpty(job.Reason)) is { } silent)
        {
            throw new FaultException($"{what}: {silent.Operation} {silent.State} without a reason");
        }

        // A new target in the place of an image is always refused, and a disk is not made smaller unless that is said; all others only wait for each other.
        if (ends.FirstOrDefault(job => job.State != "succeeded" && job.Spec is not (ConvertSpecDocument { Target: "targets:top.qcow2" } or ChangeSpecDocument { Change: "resize" })) is { } failed)
        {
            throw new FaultException($"{what}: {failed.Operation} {failed.State}: {failed.Reason}");
        }

        if (ends.FirstOrDefault(job => job is { State: "succeeded", Spec: CompareSpecDocument, FirstDifference: not null }) is { } different)
        {
            throw new FaultException($"{what}: the comparison found a difference at {different.FirstDifference}");
        }

        foreach (string image in Directory.EnumerateFiles(_cluster.Targets, "*.qcow2"))
        {
            Shell.Run("qemu-img", "check", "-q", image);
        }

        // What a resize has added reads as zeros, which the comparison allows.
        foreach (string image in Directory.EnumerateFiles(_cluster.Targets, "copy*.qcow2").Prepend(Top))
        {
            Shell.Run("qemu-img", "compare", "-f", "raw", "-F", "qcow2", _model, image);
        }

        foreach (string copy in Directory.EnumerateFiles(_cluster.Targets, "copy*.qcow2"))
        {
            File.Delete(copy);
        }

        return ends.Count(job => job.State != "succeeded");
    }

    // A guest was at work in between, so that there is something to commit and to merge.
    private void WriteToBoth()
    {
        string write = $"write -P {_random.Next(1, 255)} {_random.NextInt64(2000 * Mebibyte) & -512} 1M";
        Shell.Run("qemu-io", "-f", "qcow2", "-c", write, Top);
        Shell.Run("qemu-io", "-f", "raw", "-c", write, _model);
    }

    private async Task ABaseWithAnotherOverlayIsNotWrittenToAsync()
    {
        string[] images = ["base2.qcow2", "top2.qcow2", "other2.qcow2"];
        Shell.Run("qemu-img", "create", "-q", "-f", "qcow2", Path.Join(_cluster.Targets, images[0]), "64M");
        foreach (string overlay in images[1..])
        {
            Shell.Run("qemu-img", "create", "-q", "-f", "qcow2", "-b", images[0], "-F", "qcow2", Path.Join(_cluster.Targets, overlay));
        }

        // Who stands on a base is known of those that the cluster has met.
        await _cluster.SubmitJobAsync("meet", new CompareSpecDocument { First = $"targets:{images[2]}", Second = $"targets:{images[2]}" });
        await _cluster.JobEndAsync("meet");
        await _cluster.SubmitJobAsync("no-commit", new CommitSpecDocument { Top = $"targets:{images[1]}" });
        JobDocument commit = await _cluster.JobEndAsync("no-commit");
        if (commit.State != "failed" || commit.Reason?.Contains(images[2], StringComparison.Ordinal) != true)
        {
            throw new FaultException($"a base that another overlay stands on was written to: {commit.State}, {commit.Reason}");
        }
    }
}
