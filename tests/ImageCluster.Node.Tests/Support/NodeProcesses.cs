using ImageCluster.Api;
using ImageCluster.Api.Client;
using ImageCluster.Cli.Demonstrating;
using ImageCluster.Cli.Remote;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Node.Tests.Support;

/// <summary>Node processes on this machine, with one journal in an SQLite file and the roots <c>disks</c> and <c>targets</c>. Ended with this.</summary>
internal sealed class NodeProcesses : IDisposable
{
    /// <summary>Of all raw disks in the first root to qcow2 in the second.</summary>
    public const string Manifest = """
        version: 1
        name: lab
        sources:
          - {root: disks, include: "*.img", format: raw}
        target: {root: targets, format: qcow2}

        """;

    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);

    private readonly List<DemoNode> _nodes = [];

    public NodeProcesses()
    {
        System.IO.Directory.CreateDirectory(Directory["disks"]);
        System.IO.Directory.CreateDirectory(Directory["targets"]);
    }

    public TempDirectory Directory { get; } = new();

    public DemoNode this[int index] => _nodes[index];

    public void Dispose()
    {
        _nodes.ForEach(node => node.Dispose());
        Directory.Dispose();
    }

    /// <summary>Starts a node on ports that the system chooses and does not wait for it.</summary>
    public DemoNode Begin(params IReadOnlyList<string> settings)
    {
        NodeProgram program = NodeProgram.Find(AppContext.BaseDirectory, _ => null)!;
        var node = DemoNode.Start(program, _nodes.Count + 1, Directory.Path, ["--cluster.port", "0", "--http.listen", "http://127.0.0.1:0", "--console.port", "0", .. settings]);
        _nodes.Add(node);
        return node;
    }

    /// <summary>Starts a cluster of so many and waits until all are members.</summary>
    public Task<ClusterClient> StartAsync(int count, string? token = null, params IReadOnlyList<string> more) => StartAsync(count, token, _ => more);

    /// <param name="count">Nodes.</param>
    /// <param name="token">Of the API.</param>
    /// <param name="more">Settings of each, by its number from 0.</param>
    public async Task<ClusterClient> StartAsync(int count, string? token, Func<int, IReadOnlyList<string>> more)
    {
        int first = _nodes.Count;
        for (int i = 0; i < count; i++)
        {
            var settings = new List<string>
            {
                "--worker.slots", "1", "--downing.stableAfter", "3s", "--journal.file", Directory["journal.db"],
                "--worker.roots", $"disks={Directory["disks"]},targets={Directory["targets"]}",
            };
            settings.AddRange(more(i));
            if (i > 0)
            {
                settings.AddRange(["--cluster.seeds", _nodes[first].ClusterAddress]);
            }

            await Begin(settings).WaitAsync(CancellationToken.None);
        }

        var client = new ClusterClient(_nodes[first].Url!, token);
        await UntilAsync(() => client.ListWorkersAsync(), workers => workers.Items.Count == count);
        return client;
    }

    /// <summary>What a node has logged so far.</summary>
    public static string LogOf(DemoNode node)
    {
        using var log = new StreamReader(new MemoryStream(File.ReadAllBytes(node.LogFile)));
        return log.ReadToEnd();
    }

    public Task LoggedAsync(DemoNode node, string text) =>
        UntilAsync(() => Task.FromResult(LogOf(node)), log => log.Contains(text, StringComparison.Ordinal), $"node {node.Number} to log '{text}'");

    public async Task<T> UntilAsync<T>(Func<Task<T>> look, Func<T, bool> isSo, string? what = null)
    {
        using var patience = new CancellationTokenSource(Patience);
        while (true)
        {
            object? seen;
            try
            {
                T answer = await look();
                if (isSo(answer))
                {
                    return answer;
                }

                seen = answer;
            }
            catch (OperationRefusedException e) when (e.Reason == RefusalReason.Unavailable)
            {
                // Records move; whoever asks asks again.
                seen = e.Message;
            }

            Assert.False(patience.IsCancellationRequested, $"It did not become so: {what ?? seen}\n{string.Join('\n', _nodes.Select(LogOf))}");
            await Task.Delay(200);
        }
    }
}
