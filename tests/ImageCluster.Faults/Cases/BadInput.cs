using System.Diagnostics;
using ImageCluster.Api;
using ImageCluster.Api.Documents;

namespace ImageCluster.Faults.Cases;

/// <summary>What cannot be done, or not now: it ends with a reason, and nothing is harmed.</summary>
internal static class BadInput
{
    public static IEnumerable<FaultCase> All =>
    [
        new("submitted-twice", null, SubmittedTwice),
        new("full-disk", "root", FullDisk),
        new("held-by-qemu", "qemu-io", HeldByQemu),
        new("no-such-root", null, NoSuchRoot),
        new("out-of-root", null, OutOfRoot),
        new("two-jobs", null, TwoJobs),
    ];

    private static async Task SubmittedTwice(FaultCluster cluster, Random random)
    {
        cluster.MakeDisks(2, random);
        await cluster.StartAsync();
        await cluster.SubmitAsync();
        await cluster.SubmitAsync();
        try
        {
            await cluster.SubmitAsync(rate: "1MiB/s");
            throw new FaultException("another migration by the same id was taken");
        }
        catch (OperationRefusedException)
        {
            // As it should.
        }

        await cluster.AllMustBeWellAsync();
    }

    private static async Task FullDisk(FaultCluster cluster, Random random)
    {
        cluster.MakeDisks(2, random);
        Shell.Run("mount", "-t", "tmpfs", "-o", "size=40m", "tmpfs", cluster.Targets);
        await cluster.StartAsync();
        await cluster.SubmitAsync();
        await cluster.InTheMiddleAsync();
        // What the plan found free is taken by somebody else.
        string other = Path.Join(cluster.Targets, "somebody-elses");
        Shell.Try("dd", "if=/dev/zero", $"of={other}", "bs=1M");
        MigrationDocument end = await cluster.EndAsync();
        MigrationImageList images = await cluster.Client.ListMigrationImagesAsync("faults", new ListQuery());
        if (end.State != "failed" || !images.Items.Any(image => image.Reason?.Contains("space", StringComparison.Ordinal) == true))
        {
            throw new FaultException($"{end.State}, and no image says that there is no space: {string.Join("; ", images.Items.Select(image => $"{image.State} {image.Reason}"))}");
        }

        cluster.WhatIsThereMustBeWhole();
        File.Delete(other);
        Shell.Run("mount", "-o", "remount,size=200m", cluster.Targets);
        await cluster.Client.ActOnMigrationAsync("faults", ActionKind.Retry, new ActionRequest());
        await cluster.AllMustBeWellAsync();
    }

    private static async Task HeldByQemu(FaultCluster cluster, Random random)
    {
        cluster.MakeDisks(2, random, mebibytesOfData: 4);
        using Process guest = Process.Start(new ProcessStartInfo("qemu-io", ["-f", "raw", Path.Join(cluster.Disks, "0.img")])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        })!;
        guest.StandardInput.WriteLine("write 0 512");
        guest.StandardInput.Flush();
        await cluster.StartAsync();
        await cluster.SubmitAsync();
        MigrationDocument end = await cluster.EndAsync();
        MigrationImageList images = await cluster.Client.ListMigrationImagesAsync("faults", new ListQuery());
        MigrationImageDocument? held = images.Items.FirstOrDefault(image => image.Source.EndsWith("0.img", StringComparison.Ordinal));
        if (end.State == "succeeded" || held?.State is not ("failed" or "refused" or null) || (held is null && end.Reasons.Count == 0))
        {
            throw new FaultException($"a disk that a guest writes to was migrated: {end.State}, {held?.State}: {held?.Reason}");
        }

        if (held is not null && string.IsNullOrEmpty(held.Reason))
        {
            throw new FaultException("the image failed without a reason");
        }

        cluster.WhatIsThereMustBeWhole();
        guest.StandardInput.WriteLine("quit");
        await guest.WaitForExitAsync();
        if (end.Reasons.Count == 0 && held?.State == "failed")
        {
            await cluster.Client.ActOnMigrationAsync("faults", ActionKind.Retry, new ActionRequest());
            await cluster.AllMustBeWellAsync();
        }
    }

    private static async Task NoSuchRoot(FaultCluster cluster, Random random)
    {
        cluster.MakeDisks(1, random, mebibytesOfData: 2);
        await cluster.StartAsync();
        await MustFailAsync(cluster, new ConvertSpecDocument { Source = "nowhere:0.img", Target = "targets:0.qcow2", TargetFormat = "qcow2" }, mayWait: true);
    }

    private static async Task OutOfRoot(FaultCluster cluster, Random random)
    {
        cluster.MakeDisks(1, random, mebibytesOfData: 2);
        string secret = Path.Join(cluster.Disks, "..", "secret.img");
        File.WriteAllBytes(secret, new byte[1 << 20]);
        Shell.Run("qemu-img", "create", "-q", "-f", "qcow2", "-b", "../secret.img", "-F", "raw", Path.Join(cluster.Disks, "overlay.qcow2"));
        File.CreateSymbolicLink(Path.Join(cluster.Disks, "link.img"), secret);
        await cluster.StartAsync();
        foreach (string source in new[] { "disks:overlay.qcow2", "disks:link.img", "disks:../secret.img" })
        {
            await MustFailAsync(cluster, new ConvertSpecDocument { Source = source, Target = "targets:out.qcow2", TargetFormat = "qcow2" }, mayWait: false);
        }
    }

    // Every pairing of operations on one image: one waits for the other or is refused, and all images stay sound.
    private static async Task TwoJobs(FaultCluster cluster, Random random)
    {
        cluster.MakeDisks(1, random, mebibytesOfData: 8);
        string disk = Path.Join(cluster.Disks, "0.img");
        Shell.Run("qemu-img", "convert", "-f", "raw", "-O", "qcow2", disk, Path.Join(cluster.Targets, "base.qcow2"));
        foreach (string name in new[] { "top", "other" })
        {
            Shell.Run("qemu-img", "create", "-q", "-f", "qcow2", "-b", "base.qcow2", "-F", "qcow2", Path.Join(cluster.Targets, $"{name}.qcow2"));
        }

        Shell.Run("qemu-io", "-f", "qcow2", "-c", "write -P 7 1M 3M", Path.Join(cluster.Targets, "top.qcow2"));
        await cluster.StartAsync();
        Func<int, JobSpecDocument>[] operations =
        [
            n => new ConvertSpecDocument { Source = "targets:top.qcow2", Target = $"targets:copy{n}.qcow2", TargetFormat = "qcow2" },
            _ => new CompareSpecDocument { First = "targets:top.qcow2", Second = "targets:base.qcow2" },
            _ => new RebaseSpecDocument { Image = "targets:top.qcow2", Backing = "targets:base.qcow2", BackingFormat = "qcow2" },
            _ => new CommitSpecDocument { Top = "targets:top.qcow2" },
        ];
        int number = 0;
        for (int a = 0; a < operations.Length; a++)
        {
            for (int b = a; b < operations.Length; b++)
            {
                string[] ids = [$"pair{number++}", $"pair{number++}"];
                await Task.WhenAll(
                    cluster.Client.SubmitJobAsync(new JobSubmission { Id = ids[0], Spec = operations[a](number) }),
                    cluster.Client.SubmitJobAsync(new JobSubmission { Id = ids[1], Spec = operations[b](number + 100) }));
                foreach (string id in ids)
                {
                    JobDocument job = await cluster.JobEndAsync(id);
                    if (job.State != "succeeded" && string.IsNullOrEmpty(job.Reason))
                    {
                        throw new FaultException($"{job.Operation} {job.State} without a reason");
                    }
                }
            }
        }

        await cluster.NothingIsHeldAsync();
        foreach (string image in Directory.EnumerateFiles(cluster.Targets, "*.qcow2"))
        {
            Shell.Run("qemu-img", "check", "-q", image);
        }
    }

    private static async Task MustFailAsync(FaultCluster cluster, JobSpecDocument spec, bool mayWait)
    {
        JobDocument job;
        try
        {
            job = await cluster.Client.SubmitJobAsync(new JobSubmission { Spec = spec });
        }
        catch (OperationRefusedException)
        {
            return;
        }

        string id = job.Id;
        await Until.ItIsSo($"{spec} says why it cannot be done", TimeSpan.FromMinutes(2), async () =>
            (job = await cluster.Client.GetJobAsync(id)).IsOver || (mayWait && !string.IsNullOrEmpty(job.Reason)));
        if (job.State == "succeeded" || string.IsNullOrEmpty(job.Reason))
        {
            throw new FaultException($"{spec}: {job.State}, reason '{job.Reason}'");
        }
    }
}
