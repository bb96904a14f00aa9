using System.Text.Json;
using ImageCluster.Api;
using ImageCluster.Api.Documents;

namespace ImageCluster.Node.Http;

/// <summary>A migration as server-sent events: now, and whenever it has changed, until it is over.</summary>
internal static class MigrationEvents
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    /// <summary>A comment after so many looks without a change, so that proxies keep the connection.</summary>
    private const int QuietLooks = 15;

    public static async Task Watch(string id, HttpContext http, IClusterOperations cluster, TimeProvider time, IHostApplicationLifetime lifetime)
    {
        // A node that is told to stop ends the stream; whoever watches goes on with another one.
        using CancellationTokenSource stop = CancellationTokenSource.CreateLinkedTokenSource(http.RequestAborted, lifetime.ApplicationStopping);
        MigrationDocument migration = await cluster.GetMigrationAsync(id, stop.Token);
        http.Response.ContentType = "text/event-stream";
        http.Response.Headers.CacheControl = "no-cache";
        http.Response.Headers["X-Accel-Buffering"] = "no";
        string last = "";
        int quiet = 0;
        try
        {
            while (true)
            {
                string now = JsonSerializer.Serialize(migration, ApiJson.Default.MigrationDocument);
                quiet = now == last ? quiet + 1 : 0;
                if (now != last)
                {
                    await http.Response.WriteAsync($"data: {now}\n\n", stop.Token);
                }
                else if (quiet % QuietLooks == 0)
                {
                    await http.Response.WriteAsync(":\n\n", stop.Token);
                }

                await http.Response.Body.FlushAsync(stop.Token);
                if (migration.IsOver)
                {
                    return;
                }

                last = now;
                await Task.Delay(Interval, time, stop.Token);
                migration = await Again(id, migration, cluster, stop.Token);
            }
        }
        catch (OperationCanceledException)
        {
            // The client went, or the node goes.
        }
    }

    // A coordinator that is away for a moment is no reason to end the stream.
    private static async Task<MigrationDocument> Again(string id, MigrationDocument known, IClusterOperations cluster, CancellationToken stop)
    {
        try
        {
            return await cluster.GetMigrationAsync(id, stop);
        }
        catch (OperationRefusedException e) when (e.Reason == RefusalReason.Unavailable)
        {
            return known;
        }
    }
}
