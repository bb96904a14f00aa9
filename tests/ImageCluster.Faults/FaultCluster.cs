using ImageCluster.Api;
using ImageCluster.Api.Client;
using ImageCluster.Api.Documents;
using Microsoft.Win32.SafeHandles;

namespace ImageCluster.Faults;

/// <summary>A cluster for one run of one case: three coordinators and two workers, processes on this machine, with roots of their own.</summary>
internal sealed class FaultCluster : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(5);

    private readonly string _directory;
    private readonly string _nodeProgram;
    private readonly List<ClusterClient> _clients = [];
    private PostgreSqlServer? _database;

    public FaultCluster(string directory, string nodeProgram)
    {
        (_directory, _nodeProgram) = (directory, nodeProgram);
        Directory.CreateDirectory(Disks);
        Directory.CreateDirectory(Targets);
    }

    public string Disks => Path.Join(_directory, "disks");

    public string Targets => Path.Join(_directory, "targets");

    public List<NodeProcess> Coordinators { get; } = [];

    public List<NodeProcess> Workers { get; } = [];

    public IEnumerable<NodeProcess> Nodes => [.. Coordinators, .. Workers];

    /// <summary>The journal's server, where <see cref="StartAsync"/> was told to have one.</summary>
    public PostgreSqlServer Database => _database!;

    /// <summary>A way in through any coordinator that runs.</summary>
    public ClusterClient Client
    {
        get
        {
            var client = new ClusterClient(Coordinators.First(node => node.IsRunning).Url, null);
            _clients.Add(client);
            return client;
        }
    }

    public async Task StartAsync(bool postgreSql = false)
    {
        _database = postgreSql ? new PostgreSqlServer(_directory) : null;
        for (int i = 1; i <= 3; i++)
        {
            Coordinators.Add(New($"coordinator{i}", "coordinator"));
        }

        Workers.AddRange([New("worker1", "worker"), New("worker2", "worker")]);
        await Coordinators[0].StartAsync();
        await Task.WhenAll(Nodes.Skip(1).Select(node => node.StartAsync()));
        await Until.ItIsSo("both workers are known", Patience, async () => (await Client.ListWorkersAsync()).Items.Count == 2);
    }

    /// <summary>Sparse disks of some GiB with data in places: several shards of 512 MiB each.</summary>
    public void MakeDisks(int count, Random random, int mebibytesOfData = 24)
    {
        byte[] data = new byte[1 << 20];
        for (int i = 0; i < count; i++)
        {
            const long Size = 2L << 30;
            using SafeFileHandle disk = File.OpenHandle(Path.Join(Disks, $"{i}.img"), FileMode.CreateNew, FileAccess.Write);
            RandomAccess.SetLength(disk, Size);
            for (int piece = 0; piece < mebibytesOfData; piece++)
            {
                random.NextBytes(data);
                RandomAccess.Write(disk, data, random.NextInt64(Size - data.Length) & -512);
            }
        }
    }

    public Task<MigrationDocument> SubmitAsync(string id = "faults", string rate = "96MiB/s", string more = "") => Client.SubmitMigrationAsync(new MigrationSubmission
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
            {{more}}

            """,
    });

    /// <summary>Waits for the migration's shards to be copied, so that what comes next comes in the middle.</summary>
    public Task InTheMiddleAsync(string id = "faults") => Until.ItIsSo("the migration writes", Patience, async () =>
    {
        MigrationDocument migration = await Client.GetMigrationAsync(id);
        return migration.IsOver ? throw new FaultException($"the migration was {migration.State} before anything could go wrong: {string.Join("; ", migration.Reasons)}") : migration.Running.Any(image => image.Stage == "copy");
    });

    public async Task<MigrationDocument> EndAsync(string id = "faults")
    {
        MigrationDocument? migration = null;
        await Until.ItIsSo($"migration {id} ends", Patience, async () => (migration = await Client.GetMigrationAsync(id)).IsOver);
        return migration!;
    }

    public async Task<JobDocument> JobEndAsync(string id)
    {
        JobDocument? job = null;
        await Until.ItIsSo($"job {id} ends", Patience, async () => (job = await Client.GetJobAsync(id)).IsOver);
        return job!;
    }

    /// <summary>All went well in the end: every disk has its sound and equal target, and nobody holds anything.</summary>
    public async Task AllMustBeWellAsync(string id = "faults")
    {
        MigrationDocument migration = await EndAsync(id);
        if (migration.State != "succeeded")
        {
            MigrationImageList images = await Client.ListMigrationImagesAsync(id, new ListQuery());
            throw new FaultException($"the migration {migration.State}: {string.Join("; ", migration.Reasons.Concat(images.Items.Where(image => image.Reason is not null).Select(image => $"{image.Source}: {image.Reason}")))}");
        }

        foreach (string disk in Directory.EnumerateFiles(Disks, "*.img"))
        {
            MustBeEqual(disk, Path.Join(Targets, Path.GetFileNameWithoutExtension(disk) + ".qcow2"));
        }

        await NothingIsHeldAsync();
    }

    public Task NothingIsHeldAsync() => Until.ItIsSo("nobody holds an image", Patience, async () => (await Client.ListImagesAsync(new ListQuery())).Total == 0);

    /// <summary>Whatever targets there are under their final names are whole and equal to their sources.</summary>
    public void WhatIsThereMustBeWhole()
    {
        foreach (string target in Directory.EnumerateFiles(Targets, "*.qcow2"))
        {
            MustBeEqual(Path.Join(Disks, Path.GetFileNameWithoutExtension(target) + ".img"), target);
        }
    }

    public static void MustBeEqual(string disk, string target)
    {
        Shell.Run("qemu-img", "check", "-q", target);
        Shell.Run("qemu-img", "compare", "-f", "raw", "-F", "qcow2", disk, target);
    }

    public string Logs() => string.Join("\n\n", Nodes.Select(node => $"== {node.Name}\n{node.Tail()}"));

    public void Dispose()
    {
        foreach (NodeProcess node in Nodes)
        {
            node.Dispose();
        }

        _clients.ForEach(client => client.Dispose());
        _database?.Dispose();
        Shell.Try("umount", Targets);
        Directory.Delete(_directory, recursive: true);
    }

    private NodeProcess New(string name, string role) => new(name, _directory, ["dotnet", _nodeProgram], () =>
    {
        List<string> settings =
        [
            "--roles", role, "--cluster.port", "0", "--http.listen", "http://127.0.0.1:0", "--console.port", "0", "--worker.slots", "1",
            "--downing.stableAfter", "3s", "--worker.roots", $"disks={Disks},targets={Targets}",
        ];
        if (_database is { } database)
        {
            File.WriteAllText(Path.Join(_directory, "connection"), database.Connection);
            settings.AddRange(["--journal.provider", "postgresql", "--journal.connectionFile", Path.Join(_directory, "connection")]);
        }
        else
        {
            settings.AddRange(["--journal.file", Path.Join(_directory, "journal.db")]);
        }

        // Any that runs is a way in; the first of all forms the cluster.
        if (Nodes.Where(node => node.IsRunning && node.ClusterAddress.Length > 0 && node.Name != name).Select(node => node.ClusterAddress).ToArray() is { Length: > 0 } seeds)
        {
            settings.AddRange(["--cluster.seeds", string.Join(',', seeds)]);
        }

        return settings;
    });
}
