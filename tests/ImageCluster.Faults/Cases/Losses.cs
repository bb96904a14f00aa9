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
        new("journal-down", "postgresql", JournalDown),
    ];

    private static async Task KillWorker(FaultCluster cluster, Random random)
    {
        await BeginAsync(cluster, random);
        NodeProcess worker = cluster.Workers[random.Next(2)];
        for (int i = 0; i < 2; i++)
        {
            await Task.Delay(random.Next(2000));
            worker.Kill();
            await Task.Delay(random.Next(2000));
            await worker.StartAsync();
        }

        await cluster.AllMustBeWellAsync();
    }

    private static async Task KillCoordinator(FaultCluster cluster, Random random)
    {
        await BeginAsync(cluster, random);
        NodeProcess coordinator = cluster.Coordinators[random.Next(3)];
        await Task.Delay(random.Next(2000));
        coordinator.Kill();
        await Task.Delay(random.Next(4000));
        await coordinator.StartAsync();
        await cluster.AllMustBeWellAsync();
    }

    private static async Task KillAll(FaultCluster cluster, Random random)
    {
        await BeginAsync(cluster, random);
        await Task.Delay(random.Next(3000));
        foreach (NodeProcess node in cluster.Nodes)
        {
            node.Kill();
        }

        await cluster.Coordinators[0].StartAsync();
        await Task.WhenAll(cluster.Nodes.Skip(1).Select(node => node.StartAsync()));
        await cluster.AllMustBeWellAsync();
    }

    // Longer than any lease: its shards are given out again, and when it wakes it writes nothing.
    private static async Task FreezeWorker(FaultCluster cluster, Random random)
    {
        await BeginAsync(cluster, random);
        NodeProcess worker = cluster.Workers[random.Next(2)];
        await Task.Delay(random.Next(2000));
        worker.Freeze();
        try
        {
            await cluster.EndAsync();
        }
        finally
        {
            worker.Thaw();
        }

        await Task.Delay(5000);
        await cluster.AllMustBeWellAsync();
    }

    private static async Task JournalDown(FaultCluster cluster, Random random)
    {
        await BeginAsync(cluster, random, postgreSql: true);
        await Task.Delay(random.Next(2000));
        cluster.Database.Stop();
        await Task.Delay(random.Next(5000, 15_000));
        cluster.Database.Start();
        await cluster.AllMustBeWellAsync();
    }

    private static async Task BeginAsync(FaultCluster cluster, Random random, bool postgreSql = false)
    {
        cluster.MakeDisks(4, random);
        await cluster.StartAsync(postgreSql);
        await cluster.SubmitAsync();
        await cluster.InTheMiddleAsync();
    }
}
