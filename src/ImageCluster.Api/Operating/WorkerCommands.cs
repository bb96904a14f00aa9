using ImageCluster.Api.Documents;

namespace ImageCluster.Api.Operating;

/// <summary><c>worker ...</c></summary>
internal static class WorkerCommands
{
    public static OperatorPalette Palette { get; } = new("worker", "The nodes that do shards.",
    [
        new("list", "Workers, their slots, and the roots that they reach.", [], ListAsync),
        new("queue", "What waits for workers, over all jobs.", [], QueueAsync),
    ]);

    private static async Task<string> ListAsync(OperatorCall call, CancellationToken cancel)
    {
        WorkerList list = await call.Cluster.ListWorkersAsync(cancel).ConfigureAwait(false);
        var table = new TextTable("ID", "ADDRESS", ">SLOTS", ">FREE", "ROOTS");
        foreach (WorkerDocument worker in list.Items)
        {
            table.Add(worker.Id, worker.Address ?? "", FactText.Number(worker.Slots), FactText.Number(worker.FreeSlots), string.Join(", ", worker.Roots));
        }

        return table.ToText("no workers");
    }

    private static async Task<string> QueueAsync(OperatorCall call, CancellationToken cancel)
    {
        QueueDocument queue = await call.Cluster.GetQueueAsync(cancel).ConfigureAwait(false);
        return new TextFacts()
            .Add("jobs", FactText.Number(queue.Jobs))
            .Add("shards waiting", FactText.Number(queue.Waiting))
            .Add("shards in work", FactText.Number(queue.InWork))
            .Add("workers", FactText.Number(queue.Workers))
            .Add("free slots", FactText.Number(queue.FreeSlots))
            .ToString();
    }
}
