using ImageCluster.Api;
using ImageCluster.Api.Client;
using ImageCluster.Api.Documents;
using ImageCluster.Faults.Networks;

namespace ImageCluster.Faults;

/// <summary>A cluster for one run of one case: three coordinators and two workers, processes on this machine, with roots of their own.</summary>
internal sealed class FaultCluster : IDisposable
{
    public static readonly TimeSpan Patience = TimeSpan.FromMinutes(10);

    private const int Coordinating = 3;
    private const string Token = "the-campaigns-own-token";

    private readonly string _directory;
    private readonly string _nodeProgram;
    private readonly NodeNetwork _network;
    private readonly bool _hasTls;
    private readonly Dictionary<NodeProcess, ClusterClient> _clients = [];
    private readonly Lock _disposing = new();
    private PostgreSqlServer? _database;
    private int _asked;
    private bool _isDisposed;

    /// <param name="directory">Of its own; removed afterwards, but for <see cref="KeepsFiles"/>.</param>
    /// <param name="nodeProgram">imagecluster-node.dll.</param>
    /// <param name="network">Of its own; disposed with it.</param>
    /// <param name="hasTls">Nodes speak TLS, by an authority of their own.</param>
    public FaultCluster(string directory, string nodeProgram, NodeNetwork network, bool hasTls)
    {
        (_directory, _nodeProgram, _network, _hasTls) = (directory, nodeProgram, network, hasTls);
        foreach (string place in new[] { Disks, Targets, JournalDirectory })
        {
            Directory.CreateDirectory(place);
        }

        File.WriteAllText(Path.Join(_directory, "token"), Token);
        if (_hasTls)
        {
            Shell.Run("deploy/make-certificates", Certificates, "node");
        }
    }

    public string Disks => Path.Join(_directory, "disks");

    public string Targets => Path.Join(_directory, "targets");

    /// <summary>Where SQLite's file is.</summary>
    public string JournalDirectory => Path.Join(_directory, "journal");

    public NodeNetwork Network => _network;

    private string Certificates => Path.Join(_directory, "certificates");

    public List<NodeProcess> Coordinators { get; } = [];

    public List<NodeProcess> Workers { get; } = [];

    public IEnumerable<NodeProcess> Nodes => [.. Coordinators, .. Workers];

    /// <summary>The journal's server, where <see cref="StartAsync"/> was told to have one.</summary>
    public PostgreSqlServer Database => _database!;

    /// <summary>What a case says of what it did.</summary>
    public string Told { get; set; } = "";

    public bool KeepsFiles { get; set; }

    public async Task StartAsync(bool postgreSql = false)
    {
        _database = postgreSql ? new PostgreSqlServer(_directory, _network.Host) : null;
        for (int number = 1; number <= Coordinating; number++)
        {
            Coordinators.Add(New($"coordinator{number}", "coordinator", number));
        }

        Workers.AddRange([New("worker1", "worker", Coordinating + 1), New("worker2", "worker", Coordinating + 2)]);
        await Task.WhenAll(Nodes.Select(node => node.StartAsync()));
        await this.AllMustBeTogetherAsync();
    }

    /// <summary>What a node is in the network.</summary>
    public int NumberOf(NodeProcess node) => Nodes.ToList().IndexOf(node) + 1;

    public ClusterClient ClientOf(NodeProcess node)
    {
        lock (_clients)
        {
            return _clients.TryGetValue(node, out ClusterClient? known) ? known : _clients[node] = new ClusterClient(node.Url, Token);
        }
    }

    /// <summary>Asks any coordinator, and another one where that does not answer: every command may come twice.</summary>
    public async Task<T> AskAsync<T>(Func<ClusterClient, Task<T>> ask)
    {
        DateTime end = DateTime.UtcNow + Patience;
        while (true)
        {
            try
            {
                NodeProcess[] running = [.. Coordinators.Where(node => node is { IsRunning: true, IsFrozen: false })];
                if (running.Length > 0)
                {
                    return await ask(ClientOf(running[_asked++ % running.Length]));
                }
            }
            catch (OperationRefusedException e) when (e.Reason == RefusalReason.Unavailable && DateTime.UtcNow < end)
            {
                // Another one may know.
            }

            await Task.Delay(500);
        }
    }

    public Task<MigrationDocument> SubmitAsync(string id = "faults", string rate = "64MiB/s") => AskAsync(client => client.SubmitMigrationAsync(new MigrationSubmission
    {
        Id = id,
        Manifest = $$"""
            version: 1
            name: {{id}}
            sources:
              - {root: disks, include: "*.img", format: raw}
            target:
              root: targets
              format: qcow2
            rate: {{rate}}
            parallel: {images: 4}

            """,
    }));

    public Task<JobDocument> SubmitJobAsync(string id, JobSpecDocument spec) => AskAsync(client => client.SubmitJobAsync(new JobSubmission { Id = id, Spec = spec }));

    public Task<MigrationDocument> MigrationAsync(string id = "faults") => AskAsync(client => client.GetMigrationAsync(id));

    public Task<MigrationImageList> ImagesAsync(string id = "faults") => AskAsync(client => client.ListMigrationImagesAsync(id, new ListQuery()));

    /// <summary>Waits for the migration's shards to be copied, so that what comes next comes in the middle.</summary>
    public Task InTheMiddleAsync(string id = "faults") => Until.ItIsSo("the migration writes", Patience, async () =>
    {
        MigrationDocument migration = await MigrationAsync(id);
        return migration.IsOver
            ? throw new FaultException($"the migration was {migration.State} before anything could go wrong: {string.Join("; ", migration.Reasons)}")
            : migration.Running.Any(image => image.Stage == "copy");
    });

    public async Task<MigrationDocument> EndAsync(string id = "faults")
    {
        MigrationDocument? migration = null;
        await Until.ItIsSo($"migration {id} ends", Patience, async () => (migration = await MigrationAsync(id)).IsOver);
        return migration!;
    }

    public async Task<JobDocument> JobEndAsync(string id)
    {
        JobDocument? job = null;
        await Until.ItIsSo($"job {id} ends", Patience, async () => (job = await AskAsync(client => client.GetJobAsync(id))).IsOver);
        return job!;
    }

    /// <summary>True where the node is a member that is up and reaches the journal.</summary>
    public async Task<bool> IsReadyAsync(NodeProcess node)
    {
        if (!node.IsRunning || node.IsFrozen)
        {
            return false;
        }

        try
        {
            using var http = new HttpClient { BaseAddress = node.Url, Timeout = TimeSpan.FromSeconds(5) };
            using HttpResponseMessage answer = await http.GetAsync(new Uri(ApiPaths.Ready, UriKind.Relative));
            return answer.IsSuccessStatusCode;
        }
        catch (Exception e) when (e is HttpRequestException or TaskCanceledException)
        {
            return false;
        }
    }

    public string Logs() => string.Join("\n\n", Nodes.Select(node => $"== {node.Name}\n{node.Tail()}"));

    // Whoever interrupts a run comes to it as well as the run itself.
    public void Dispose()
    {
        lock (_disposing)
        {
            if (!_isDisposed)
            {
                _isDisposed = true;
                End();
            }
        }
    }

    private void End()
    {
        foreach (NodeProcess node in Nodes)
        {
            node.Dispose();
        }

        foreach (ClusterClient client in _clients.Values)
        {
            client.Dispose();
        }

        _database?.Dispose();
        _network.Dispose();
        if (!KeepsFiles)
        {
            Shell.Try("umount", Targets);
            Shell.Try("umount", JournalDirectory);
            Directory.Delete(_directory, recursive: true);
        }
    }

    private NodeProcess New(string name, string role, int number) => new(name, _directory, () => CommandLine(role, number), new Uri($"http://{_network.AddressOf(number)}:8080"));

    // As on machines of their own: the same addresses at each start, and all coordinators as seeds.
    private List<string> CommandLine(string role, int number)
    {
        string address = _network.AddressOf(number);
        List<string> words =
        [
            .. _network.Enter(number), "dotnet", _nodeProgram, "--roles", role, "--cluster.bind", address, "--cluster.port", "4053",
            "--cluster.seeds", string.Join(',', Enumerable.Range(1, Coordinating).Select(coordinator => $"{_network.AddressOf(coordinator)}:4053")),
            "--http.listen", $"http://{address}:8080", "--http.tokenFile", Path.Join(_directory, "token"), "--console.port", "0", "--worker.slots", "2",
            "--downing.stableAfter", "4s", "--worker.roots", $"disks={Disks},targets={Targets}",
        ];
        string certificate = Path.Join(Certificates, "node.p12");
        words.AddRange(_hasTls
            ? ["--cluster.tls.certificate", certificate, "--cluster.tls.passwordFile", $"{certificate}.password", "--cluster.tls.authority", Path.Join(Certificates, "authority.pem")]
            : ["--cluster.trustedNetwork", "true"]);
        if (_database is { } database)
        {
            File.WriteAllText(Path.Join(_directory, $"connection{number}"), database.Connection);
            words.AddRange(["--journal.provider", "postgresql", "--journal.connectionFile", Path.Join(_directory, $"connection{number}")]);
        }
        else
        {
            words.AddRange(["--journal.file", Path.Join(JournalDirectory, "journal.db")]);
        }

        return words;
    }
}
