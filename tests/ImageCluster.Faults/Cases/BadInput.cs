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
        new("source-modified", "qemu-io", SourceModified),
    ];

    private static async Task SubmittedTwice(FaultCluster cluster, Random random)
    {
        Disks.Make(cluster, 2, random);
        await cluster.StartAsync();
        // At once, to different coordinators.
        MigrationDocument[] answers = await Task.WhenAll(Enumerable.Range(0, 6).Select(_ => cluster.SubmitAsync()));
        if (answers.Any(answer => answer.Id != "faults" || answer.SubmittedAt != answers[0].SubmittedAt))
        {
            throw new FaultException("the same migration was taken more than once");
        }

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
        MigrationDocument again = await cluster.SubmitAsync();
        if (again.State != "succeeded" || (await cluster.AskAsync(client => client.ListMigrationsAsync(new ListQuery()))).Total != 1)
        {
            throw new FaultException($"submitted again when it was over it was {again.State}");
        }
    }

    private static async Task FullDisk(FaultCluster cluster, Random random)
    {
        Disks.Make(cluster, 2, random);
        Shell.Run("mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", cluster.Targets);
        await cluster.StartAsync();
        await cluster.SubmitAsync();
        await cluster.InTheMiddleAsync();
        // What the plan found free is taken by somebody else.
        string other = Path.Join(cluster.Targets, "somebody-elses");
        Shell.Try("dd", "if=/dev/zero", $"of={other}", "bs=1M");
        MigrationDocument end = await cluster.EndAsync();
        MigrationImageList images = await cluster.ImagesAsync();
        if (end.State != "failed" || !images.Items.Any(image => image.Reason?.Contains("space", StringComparison.Ordinal) == true))
        {
            throw new FaultException($"{end.State}, and no image says that there is no space: {string.Join("; ", images.Items.Select(image => $"{image.State} {image.Reason}"))}");
        }

        cluster.WhatIsThereMustBeWhole();
        File.Delete(other);
        Shell.Run("mount", "-o", "remount,size=256m", cluster.Targets);
        await cluster.AskAsync(client => client.ActOnMigrationAsync("faults", ActionKind.Retry, new ActionRequest()));
        await cluster.AllMustBeWellAsync();
    }

    private static async Task HeldByQemu(FaultCluster cluster, Random random)
    {
        Disks.Make(cluster, 2, random, mebibytesOfData: 4);
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
        MigrationImageList images = await cluster.ImagesAsync();
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
            await cluster.AskAsync(client => client.ActOnMigrationAsync("faults", ActionKind.Retry, new ActionRequest()));
            await cluster.AllMustBeWellAsync();
        }
    }

    // Somebody writes to a disk that is being read, between two looks at it: what was read is of no moment in time.
    private static async Task SourceModified(FaultCluster cluster, Random random)
    {
        Disks.Make(cluster, 2, random);
        await cluster.StartAsync();
        await cluster.SubmitAsync();
        await cluster.InTheMiddleAsync();
        // Where nothing else runs all is read within a few seconds.
        await Task.Delay(random.Next(1000));
        string disk = Path.Join(cluster.Disks, "0.img");
        // As a program does that knows no locks.
        Shell.Run("dd", "if=/dev/urandom", $"of={disk}", "bs=4096", "count=1", $"seek={random.Next(500_000)}", "conv=notrunc");
        MigrationDocument end = await cluster.EndAsync();
        MigrationImageDocument image = (await cluster.ImagesAsync()).Items.First(found => found.Source.EndsWith("0.img", StringComparison.Ordinal));
        cluster.Told = $"{image.State}: {image.Reason}";
        if (end.State != "failed" || image.State != "failed" || image.Reason?.Contains("changed", StringComparison.Ordinal) != true)
        {
            throw new FaultException($"a disk that was written to while it was read: {image.State}, {image.Reason}");
        }

        cluster.WhatIsThereMustBeWhole();
        await cluster.AskAsync(client => client.ActOnMigrationAsync("faults", ActionKind.Retry, new ActionRequest()));
        await cluster.AllMustBeWellAsync();
    }

    private static async Task NoSuchRoot(FaultCluster cluster, Random random)
    {
        Disks.Make(cluster, 1, random, mebibytesOfData: 2);
        await cluster.StartAsync();
        await MustFailAsync(cluster, new ConvertSpecDocument { Source = "nowhere:0.img", Target = "targets:0.qcow2", TargetFormat = "qcow2" }, mayWait: true);
        await cluster.AskAsync(client => client.SubmitMigrationAsync(new MigrationSubmission
        {
            Id = "nowhere",
            Manifest = "version: 1\nname: nowhere\nsources:\n  - {root: nowhere, include: \"*.img\"}\ntarget: {root: targets, format: qcow2}\n",
        }));
        await Until.ItIsSo("the migration says what it waits for", TimeSpan.FromMinutes(2), async () =>
            (await cluster.MigrationAsync("nowhere")).Reasons.Any(reason => reason.Contains("nowhere", StringComparison.Ordinal)));
        await cluster.AskAsync(client => client.ActOnMigrationAsync("nowhere", ActionKind.Cancel, new ActionRequest()));
        if ((await cluster.EndAsync("nowhere")).State != "cancelled")
        {
            throw new FaultException("a migration that waits cannot be cancelled");
        }
    }

    private static async Task OutOfRoot(FaultCluster cluster, Random random)
    {
        Disks.Make(cluster, 1, random, mebibytesOfData: 2);
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

    private static async Task MustFailAsync(FaultCluster cluster, JobSpecDocument spec, bool mayWait)
    {
        JobDocument job;
        try
        {
            job = await cluster.SubmitJobAsync($"bad{Guid.NewGuid():n}", spec);
        }
        catch (OperationRefusedException)
        {
            return;
        }

        string id = job.Id;
        await Until.ItIsSo($"{spec} says why it cannot be done", TimeSpan.FromMinutes(2), async () =>
            (job = await cluster.AskAsync(client => client.GetJobAsync(id))).IsOver || (mayWait && !string.IsNullOrEmpty(job.Reason)));
        if (job.State == "succeeded" || string.IsNullOrEmpty(job.Reason))
        {
            throw new FaultException($"{spec}: {job.State}, reason '{job.Reason}'");
        }
    }
}
