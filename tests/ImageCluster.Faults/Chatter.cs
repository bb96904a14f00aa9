using ImageCluster.Api;
using ImageCluster.Api.Documents;

namespace ImageCluster.Faults;

/// <summary>
/// Somebody who submits small jobs all the while, each to one coordinator without asking again. Whatever was acknowledged must have been done in the end.
/// </summary>
internal sealed class Chatter : IAsyncDisposable
{
    private const string Image = "small.raw";

    private readonly FaultCluster _cluster;
    private readonly CancellationTokenSource _stop = new();
    private readonly List<string> _acknowledged = [];
    private readonly Task _talking;
    private int _said;

    public Chatter(FaultCluster cluster)
    {
        _cluster = cluster;
        File.WriteAllBytes(Path.Join(cluster.Disks, Image), new byte[1 << 20]);
        _talking = Task.Run(TalkAsync);
    }

    public int Acknowledged => _acknowledged.Count;

    /// <summary>Ends it, and makes sure that nothing acknowledged was lost.</summary>
    public async Task NothingMustBeLostAsync()
    {
        await DisposeAsync();
        foreach (string id in _acknowledged)
        {
            JobDocument job = await _cluster.JobEndAsync(id);
            if (job.State != "succeeded")
            {
                throw new FaultException($"job {id}, which was acknowledged, {job.State}: {job.Reason}");
            }
        }

        _cluster.Told += $"{(_cluster.Told.Length > 0 ? ", " : "")}{_acknowledged.Count} of {_said} commands acknowledged";
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _talking;
    }

    private async Task TalkAsync()
    {
        var spec = new CompareSpecDocument { First = $"disks:{Image}", FirstFormat = "raw", Second = $"disks:{Image}", SecondFormat = "raw" };
        while (!_stop.IsCancellationRequested)
        {
            NodeProcess[] running = [.. _cluster.Coordinators.Where(node => node is { IsRunning: true, IsFrozen: false })];
            if (running.Length > 0)
            {
                string id = $"said{_said++}";
                try
                {
                    using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(10));
                    await _cluster.ClientOf(running[_said % running.Length]).SubmitJobAsync(new JobSubmission { Id = id, Spec = spec }, patience.Token);
                    _acknowledged.Add(id);
                }
                catch (Exception e) when (e is OperationRefusedException { Reason: RefusalReason.Unavailable } or OperationCanceledException)
                {
                    // Not acknowledged: it may be done or not.
                }
            }

            await Task.Delay(1000, CancellationToken.None);
        }
    }
}
