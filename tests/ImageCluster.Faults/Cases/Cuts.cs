namespace ImageCluster.Faults.Cases;

/// <summary>Nodes that do not hear each other for a while: only one part goes on, and after the join everything is finished.</summary>
internal static class Cuts
{
    /// <summary>By when every part has found out whether it is the one that goes on.</summary>
    private static readonly TimeSpan Settled = TimeSpan.FromSeconds(35);

    public static IEnumerable<FaultCase> All =>
    [
        Case("cut-worker", (cluster, random) => [[cluster.Workers[random.Next(2)]]]),
        Case("cut-coordinator", (cluster, random) => [[cluster.Coordinators[random.Next(3)]]]),
        Case("cut-first", (cluster, _) => [[cluster.Coordinators[0]]]),
        Case("cut-side", (cluster, random) => [[cluster.Coordinators[random.Next(3)], cluster.Workers[random.Next(2)]]]),
        Case("cut-all", (cluster, _) => cluster.Nodes.Select(node => new[] { node })),
        new("cut-link", "root", CutLink) { CutsNetworks = true },
        new("cut-flapping", "root", CutFlapping) { CutsNetworks = true },
    ];

    private static FaultCase Case(string name, Func<FaultCluster, Random, IEnumerable<NodeProcess[]>> parts) =>
        new(name, "root", (cluster, random) => CutApart(cluster, random, parts)) { CutsNetworks = true };

    // Into the parts that are named and one of all others.
    private static async Task CutApart(FaultCluster cluster, Random random, Func<FaultCluster, Random, IEnumerable<NodeProcess[]>> choose)
    {
        await using Chatter chatter = await Losses.BeginAsync(cluster, random, postgreSql: random.Next(2) == 0);
        NodeProcess[][] named = [.. choose(cluster, random)];
        NodeProcess[] rest = [.. cluster.Nodes.Except(named.SelectMany(part => part))];
        NodeProcess[][] parts = rest.Length > 0 ? [.. named, rest] : named;
        NodeProcess[]? majority = parts.FirstOrDefault(part => part.Intersect(cluster.Coordinators).Count() >= 2);
        await Task.Delay(random.Next(3000));
        for (int a = 0; a < parts.Length; a++)
        {
            for (int b = a + 1; b < parts.Length; b++)
            {
                foreach (NodeProcess one in parts[a])
                {
                    foreach (NodeProcess other in parts[b])
                    {
                        cluster.Network.Cut(cluster.NumberOf(one), cluster.NumberOf(other));
                    }
                }
            }
        }

        TimeSpan cut = TimeSpan.FromSeconds(random.Next(3) == 0 ? random.Next(2, 15) : random.Next(50, 75));
        DateTime begin = DateTime.UtcNow;
        int seen = 0;
        while (DateTime.UtcNow < begin + cut)
        {
            await Task.Delay(1000);
            if (DateTime.UtcNow < begin + Settled)
            {
                continue;
            }

            bool[] ready = await Task.WhenAll(cluster.Coordinators.Select(cluster.IsReadyAsync));
            NodeProcess[] acting = [.. cluster.Coordinators.Where((_, i) => ready[i])];
            if (acting.Except(majority ?? []).ToArray() is { Length: > 0 } wrong)
            {
                throw new FaultException($"{string.Join(" and ", wrong.Select(node => node.Name))} went on, cut off from the majority");
            }

            seen++;
        }

        if (majority is not null && seen > 5)
        {
            foreach (NodeProcess node in majority.Intersect(cluster.Coordinators))
            {
                await Until.ItIsSo($"{node.Name}, which is in the majority, goes on", TimeSpan.FromSeconds(60), () => cluster.IsReadyAsync(node));
            }
        }

        cluster.Network.Join();
        cluster.Told = $"{string.Join(" | ", parts.Select(part => string.Join(' ', part.Select(node => node.Name))))} for {cut.TotalSeconds:0} s, {Journal(cluster)}, " +
            $"{cluster.Nodes.Sum(node => node.TimesGivenUp)} nodes given up";
        await Losses.EndAsync(cluster, chatter);
    }

    // Two that do not hear each other, while everybody else hears both.
    private static async Task CutLink(FaultCluster cluster, Random random)
    {
        await using Chatter chatter = await Losses.BeginAsync(cluster, random, postgreSql: random.Next(2) == 0);
        int[] two = [1, 2, 3, 4, 5];
        random.Shuffle(two);
        cluster.Network.Cut(two[0], two[1]);
        TimeSpan cut = TimeSpan.FromSeconds(random.Next(3, 60));
        await Task.Delay(cut);
        cluster.Network.Join();
        NodeProcess[] nodes = [.. cluster.Nodes];
        cluster.Told = $"{nodes[two[0] - 1].Name} | {nodes[two[1] - 1].Name} for {cut.TotalSeconds:0} s, {Journal(cluster)}, {nodes.Sum(node => node.TimesGivenUp)} nodes given up";
        await Losses.EndAsync(cluster, chatter);
    }

    // Cut and joined so often that no part can tell who is there: all may end themselves, and come back.
    private static async Task CutFlapping(FaultCluster cluster, Random random)
    {
        await using Chatter chatter = await Losses.BeginAsync(cluster, random, postgreSql: random.Next(2) == 0);
        int[] nodes = [1, 2, 3, 4, 5];
        int cuts = random.Next(4, 10);
        for (int i = 0; i < cuts; i++)
        {
            random.Shuffle(nodes);
            int part = random.Next(1, 5);
            foreach (int one in nodes[..part])
            {
                foreach (int other in nodes[part..])
                {
                    cluster.Network.Cut(one, other);
                }
            }

            await Task.Delay(random.Next(4000, 9000));
            cluster.Network.Join();
            await Task.Delay(random.Next(500, 4000));
        }

        cluster.Told = $"{cuts} cuts, {Journal(cluster)}, {cluster.Nodes.Sum(node => node.TimesGivenUp)} nodes given up";
        await Losses.EndAsync(cluster, chatter);
    }

    private static string Journal(FaultCluster cluster) => cluster.Database is null ? "SQLite" : "PostgreSQL";
}
