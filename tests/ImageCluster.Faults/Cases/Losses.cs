using System.Security.Cryptography;

namespace ImageCluster.Faults.Cases;

/// <summary>Processes that are lost, one by one or together, and what they had is done all the same.</summary>
internal static class Losses
{
    public static IEnumerable<FaultCase> All =>
    [
        new("kill-worker", null, KillWorker),
        new("kill-coordinator", null, KillCoordinator),
        new("kill-all", null, KillAll),
        new("freeze-worker", null, FreezeWorker),
        new("freeze-coordinator", null, FreezeCoordinator),
    ];

    private static async Task KillWorker(FaultCluster cluster, Random random)
    {
        await using Chatter chatter = await BeginAsync(cluster, random);
        for (int i = 0; i < 2; i++)
        {
            NodeProcess worker = cluster.Workers[random.Next(2)];
            await Task.Delay(random.Next(4000));
            worker.Kill();
            await Task.Delay(random.Next(4000));
            await worker.StartAsync();
        }

        await EndAsync(cluster, chatter);
    }

    private static async Task KillCoordinator(FaultCluster cluster, Random random)
    {
        await using Chatter chatter = await BeginAsync(cluster, random);
        for (int i = 0; i < 2; i++)
        {
            NodeProcess coordinator = cluster.Coordinators[random.Next(3)];
            await Task.Delay(random.Next(4000));
            coordinator.Kill();
            // Back before the others have noticed, or long after.
            await Task.Delay(random.Next(2) == 0 ? random.Next(1500) : random.Next(5000, 25_000));
            await coordinator.StartAsync();
        }

        await EndAsync(cluster, chatter);
    }

    private static async Task KillAll(FaultCluster cluster, Random random)
    {
        await using Chatter chatter = await BeginAsync(cluster, random);
        await Task.Delay(random.Next(15_000));
        NodeProcess[] nodes = [.. cluster.Nodes];
        random.Shuffle(nodes);
        foreach (NodeProcess node in nodes)
        {
            node.Kill();
        }

        random.Shuffle(nodes);
        foreach (NodeProcess node in nodes)
        {
            node.Begin();
            await Task.Delay(random.Next(3000));
        }

        await EndAsync(cluster, chatter);
    }

    // Longer than any lease: its shards are given out again, and when it wakes it writes nothing.
    private static async Task FreezeWorker(FaultCluster cluster, Random random)
    {
        await using Chatter chatter = await BeginAsync(cluster, random);
        NodeProcess worker = cluster.Workers[random.Next(2)];
        await Task.Delay(random.Next(5000));
        worker.Freeze();
        bool untilTheEnd = random.Next(2) == 0;
        try
        {
            if (untilTheEnd)
            {
                await cluster.EndAsync();
            }
            else
            {
                await Task.Delay(random.Next(33_000, 45_000));
            }

            string before = untilTheEnd ? Snapshot(cluster.Targets) : "";
            worker.Thaw();
            if (untilTheEnd)
            {
                await Task.Delay(10_000);
                string after = Snapshot(cluster.Targets);
                if (after != before)
                {
                    throw new FaultException($"the woken worker wrote.\nBefore:\n{before}\nAfter:\n{after}");
                }
            }
        }
        finally
        {
            if (worker.IsFrozen)
            {
                worker.Thaw();
            }
        }

        cluster.Told = untilTheEnd ? "frozen to the end" : "woken in the middle";
        await EndAsync(cluster, chatter);
    }

    // Its records start elsewhere. When it wakes it must not take itself for the one who keeps them.
    private static async Task FreezeCoordinator(FaultCluster cluster, Random random)
    {
        await using Chatter chatter = await BeginAsync(cluster, random);
        NodeProcess coordinator = cluster.Coordinators[random.Next(3)];
        await Task.Delay(random.Next(4000));
        coordinator.Freeze();
        await Task.Delay(random.Next(2) == 0 ? random.Next(1000, 8000) : random.Next(15_000, 40_000));
        coordinator.Thaw();
        await EndAsync(cluster, chatter);
    }

    /// <summary>A migration in the middle of copying, and somebody who submits jobs all the while.</summary>
    public static async Task<Chatter> BeginAsync(FaultCluster cluster, Random random, bool postgreSql = false)
    {
        Disks.Make(cluster, 4, random);
        await cluster.StartAsync(postgreSql);
        var chatter = new Chatter(cluster);
        await cluster.SubmitAsync();
        await cluster.InTheMiddleAsync();
        return chatter;
    }

    public static async Task EndAsync(FaultCluster cluster, Chatter chatter)
    {
        await cluster.EndAsync();
        await chatter.NothingMustBeLostAsync();
        await cluster.AllMustBeWellAsync();
        await cluster.AllMustBeTogetherAsync();
    }

    // Every file with its length, the time when it was changed last, to the tick, and the digest of its bytes.
    private static string Snapshot(string directory) => string.Join('\n', new DirectoryInfo(directory).EnumerateFileSystemInfos("*", SearchOption.AllDirectories)
        .Select(entry => $"{entry.FullName} {(entry as FileInfo)?.Length} {entry.LastWriteTimeUtc:O} {(entry is FileInfo file ? Digest(file) : "")}").Order(StringComparer.Ordinal));

    private static string Digest(FileInfo file)
    {
        using FileStream bytes = file.OpenRead();
        return Convert.ToHexStringLower(SHA256.HashData(bytes));
    }
}
