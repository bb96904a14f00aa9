using System.Collections;
using System.Net;
using ImageCluster.Cluster.Hosting;
using ImageCluster.Cluster.Membership;
using ImageCluster.Work.Roots;
using ImageCluster.Work.Secrets;
using Microsoft.Data.Sqlite;
using Npgsql;

namespace ImageCluster.Node.Configuration;

/// <summary>Makes a node's options of its file, the environment and the arguments, and refuses what cannot or must not be.</summary>
public sealed class NodeOptionsReader
{
    /// <summary>Fewer characters can be guessed.</summary>
    public const int MinTokenLength = 16;

    private readonly SettingValues _values = new();
    private readonly string _directory;

    private readonly IDictionary _environment;
    private readonly CredentialReader _credentials;

    private NodeOptionsReader(string directory, IDictionary environment)
    {
        (_directory, _environment) = (directory, environment);
        _credentials = new CredentialReader(_values, directory);
    }

    /// <param name="arguments"><c>--config FILE</c>, <c>--KEY VALUE</c>, <c>--KEY=VALUE</c>.</param>
    /// <param name="environment">Variables by name.</param>
    /// <param name="directory">What relative names of files are relative to (in a file: its own directory).</param>
    /// <exception cref="NodeConfigurationException">Something is wrong.</exception>
    public static NodeOptions Read(IReadOnlyList<string> arguments, IDictionary environment, string directory)
    {
        var reader = new NodeOptionsReader(directory, environment);
        List<(string Key, string Value)> given = reader.Arguments(arguments);
        string? file = given.LastOrDefault(pair => pair.Key == "config").Value ?? environment[Setting.Prefix + "CONFIG"] as string;
        if (file is not null)
        {
            reader.ReadFile(Path.GetFullPath(file, directory), file);
        }

        reader.ReadEnvironment(environment);
        foreach ((string key, string value) in given.Where(pair => pair.Key != "config"))
        {
            if (NodeSettings.All.Any(setting => setting.Key == key && setting.IsSecret))
            {
                reader._values.Problems.Add($"--{key}: a secret is not given in an argument, which everybody on the machine can read; use a file or the environment");
                continue;
            }

            reader._values.Set(key, value, $"--{key}");
        }

        reader.ThrowIfAny();
        NodeOptions options = reader.Make();
        reader.ThrowIfAny();
        return options;
    }

    private List<(string Key, string Value)> Arguments(IReadOnlyList<string> arguments)
    {
        var given = new List<(string Key, string Value)>();
        for (int i = 0; i < arguments.Count; i++)
        {
            string argument = arguments[i];
            int equals = argument.IndexOf('=', StringComparison.Ordinal);
            if (!argument.StartsWith("--", StringComparison.Ordinal) || argument.Length == 2)
            {
                _values.Problems.Add($"'{argument}' is not an argument; settings are given as --KEY VALUE (see --help)");
            }
            else if (equals > 0)
            {
                given.Add((argument[2..equals], argument[(equals + 1)..]));
            }
            else if (i + 1 < arguments.Count)
            {
                given.Add((argument[2..], arguments[++i]));
            }
            else
            {
                _values.Problems.Add($"{argument} needs a value");
            }
        }

        return given;
    }

    private void ReadFile(string path, string name)
    {
        try
        {
            string base_ = Path.GetDirectoryName(path)!;
            ConfigurationFile.Read(File.ReadAllText(path), name, _values);
            RelativeTo(base_);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            _values.Problems.Add($"{name}: {e.Message.ReplaceLineEndings(" ")}");
        }
    }

    // Names of files in a file are relative to it, wherever the node is started.
    private void RelativeTo(string directory)
    {
        foreach (TypedSetting<string> setting in NodeSettings.All.OfType<TypedSetting<string>>().Where(setting => setting.Form is "file" or "directory"))
        {
            if (_values.Find(setting) is { } file)
            {
                _values.Set(setting.Key, Path.GetFullPath(file, directory), _values.WhereOf(setting));
            }
        }

        if (_values.Has(NodeSettings.WorkerRoots))
        {
            string roots = SettingKinds.Join(_values.Get(NodeSettings.WorkerRoots).Select(root => $"{root.Key}={(RemoteRoot.IsOne(root.Value) ? root.Value : Path.GetFullPath(root.Value, directory))}"));
            _values.Set(NodeSettings.WorkerRoots.Key, roots, _values.WhereOf(NodeSettings.WorkerRoots));
        }
    }

    private void ReadEnvironment(IDictionary environment)
    {
        foreach (Setting setting in NodeSettings.All)
        {
            if (environment[setting.Variable] is string { Length: > 0 } value)
            {
                _values.Set(setting.Key, value, setting.Variable);
            }
        }

        // Other programs' variables may begin like ours (Kubernetes sets some for each service); two underscores within are ours alone.
        // And passwords of images are no settings.
        foreach (string name in environment.Keys.OfType<string>().Where(name =>
            name.StartsWith(Setting.Prefix, StringComparison.Ordinal) && !name.StartsWith(SecretStore.VariablePrefix, StringComparison.Ordinal)))
        {
            if (name.Contains("__", StringComparison.Ordinal) && NodeSettings.All.All(setting => setting.Variable != name))
            {
                _values.Problems.Add($"{name}: there is no such setting");
            }
        }
    }

    private NodeOptions Make()
    {
        string bind = _values.Get(NodeSettings.ClusterBind);
        ClusterTls? tls = _credentials.ClusterTls();
        bool trusted = _values.Get(NodeSettings.TrustedNetwork);
        if (tls is null && !trusted && !IsLoopback(bind))
        {
            Refuse(NodeSettings.ClusterBind, $"nodes on '{bind}' would speak in the clear to whoever reaches them; set cluster.tls.certificate, or cluster.trustedNetwork: true where " +
                "the network is the nodes' own");
        }

        IReadOnlyList<string> roles = _values.Get(NodeSettings.Roles);
        bool isWorker = roles.Contains(ImageClusterSettings.WorkerRole);
        SortedDictionary<string, string> roots = Roots();
        if (isWorker && roots.Count == 0)
        {
            Refuse(NodeSettings.WorkerRoots, "a worker without roots gets no work; set worker.roots, or roles: [coordinator]");
        }

        var address = new NodeAddress(bind, HostOf(bind), _values.Get(NodeSettings.ClusterPort));
        return new NodeOptions
        {
            Roles = [.. roles.Distinct()],
            Cluster = address,
            IsLocal = IsLoopback(bind),
            Seeds = _values.Has(NodeSettings.ClusterSeeds) ? _values.Get(NodeSettings.ClusterSeeds) : [],
            Partitions = _values.Get(NodeSettings.ClusterPartitions),
            ClusterTls = tls,
            Quorum = Quorum(address, roles.Contains(ImageClusterSettings.CoordinatorRole)),
            StableAfter = _values.Get(NodeSettings.DowningStableAfter),
            // Of others not even the secret's file is looked at: it need not be there.
            Journal = roles.Contains(ImageClusterSettings.CoordinatorRole) ? Journal() : null,
            HttpListen = _values.Get(NodeSettings.HttpListen),
            HttpToken = Token(),
            HttpCertificate = HttpCertificate(),
            Roots = roots,
            Slots = _values.Get(NodeSettings.WorkerSlots) is > 0 and int slots ? slots : Environment.ProcessorCount,
            SecretsDirectory = DirectoryOf(NodeSettings.WorkerSecrets) ?? _environment["CREDENTIALS_DIRECTORY"] as string,
            RootLimits = _values.Has(NodeSettings.RootLimits) ? _values.Get(NodeSettings.RootLimits) : new Dictionary<string, int>(),
            AssignmentDuration = _values.Get(NodeSettings.JobsAssignment),
            LeaseDuration = Lease(),
            ImageWait = _values.Get(NodeSettings.JobsImageWait),
            TaskTime = _values.Get(NodeSettings.JobsTaskTime),
            ImagesAtATime = _values.Get(NodeSettings.JobsImages),
            Retention = _values.Get(NodeSettings.JobsKeepDays) is > 0 and int days ? TimeSpan.FromDays(days) : null,
            Console = Console(trusted),
            ManifestDirectory = DirectoryOf(NodeSettings.ConsoleManifests),
            LogLevel = _values.Get(NodeSettings.LogLevel),
            LogAsJson = _values.Get(NodeSettings.LogFormat) == "json",
            ShutdownTimeout = _values.Get(NodeSettings.ShutdownTimeout),
            AddressFile = _values.Find(NodeSettings.AddressFile) is { } file ? Path.GetFullPath(file, _directory) : null,
        };
    }

    private string HostOf(string bind) => _values.Find(NodeSettings.ClusterHost)
        ?? (IPAddress.TryParse(bind, out IPAddress? address) && (address.Equals(IPAddress.Any) || address.Equals(IPAddress.IPv6Any)) ? Dns.GetHostName() : bind);

    private int? Quorum(NodeAddress self, bool isCoordinator)
    {
        int quorum = _values.Get(NodeSettings.DowningQuorum);
        string strategy = _values.Get(NodeSettings.DowningStrategy);
        DnsEndPoint[] seeds = _values.Has(NodeSettings.ClusterSeeds) ? [.. _values.Get(NodeSettings.ClusterSeeds).Distinct()] : [];
        if (strategy != NodeSettings.StaticQuorum && quorum > 0)
        {
            Refuse(NodeSettings.DowningQuorum, "downing.quorum goes with downing.strategy: static-quorum only");
        }

        if (strategy == NodeSettings.KeepMajority || quorum > 0)
        {
            return quorum > 0 ? quorum : null;
        }

        if (strategy == NodeSettings.StaticQuorum && seeds.Length == 0)
        {
            Refuse(NodeSettings.DowningStrategy, "static-quorum needs downing.quorum, more than half of all coordinators (1 for one, 2 for three), or cluster.seeds to count");
            return null;
        }

        int? counted = strategy == NodeSettings.StaticQuorum ? SplitBrain.MajorityOf(seeds.Length) : SplitBrain.QuorumOf(seeds.Length);
        if (counted is not null && isCoordinator && !seeds.Any(seed => seed.Port == self.Port && seed.Host.Equals(self.Host, StringComparison.OrdinalIgnoreCase)))
        {
            Refuse(NodeSettings.ClusterSeeds, $"this coordinator, {self.Host}:{self.Port}, is not among them, by whose number the quorum is counted; name it there on every " +
                "node, or set downing.strategy and downing.quorum");
        }

        return counted;
    }

    // No assignment outlasts its images' leases, and these are renewed when half of them is over.
    private TimeSpan Lease()
    {
        (TimeSpan lease, TimeSpan assignment) = (_values.Get(NodeSettings.JobsLease), _values.Get(NodeSettings.JobsAssignment));
        if (lease < assignment * 4)
        {
            Refuse(_values.Has(NodeSettings.JobsLease) ? NodeSettings.JobsLease : NodeSettings.JobsAssignment, "jobs.lease must be at least four times jobs.assignment");
        }

        return lease;
    }

    private JournalOptions Journal()
    {
        bool create = _values.Get(NodeSettings.JournalCreateTables);
        string? connection = _credentials.Secret(NodeSettings.JournalConnection, NodeSettings.JournalConnectionFile);
        if (_values.Get(NodeSettings.JournalProvider) == NodeSettings.PostgreSql)
        {
            if (connection is null)
            {
                Refuse(NodeSettings.JournalProvider, "postgresql needs journal.connection or journal.connectionFile");
            }

            return new JournalOptions(true, Checked(connection ?? ""), create);
        }

        if (connection is not null)
        {
            Refuse(NodeSettings.JournalConnection, "a connection string goes with journal.provider: postgresql only; SQLite takes journal.file");
        }

        string file = Path.GetFullPath(_values.Get(NodeSettings.JournalFile), _directory);
        if (!Directory.Exists(Path.GetDirectoryName(file)))
        {
            Refuse(NodeSettings.JournalFile, $"there is no directory '{Path.GetDirectoryName(file)}'");
        }

        return new JournalOptions(false, new SqliteConnectionStringBuilder { DataSource = file, DefaultTimeout = 30 }.ToString(), create);
    }

    private string Checked(string connection)
    {
        try
        {
            var builder = new NpgsqlConnectionStringBuilder(connection);
            // Else the client tries Kerberos at each connection first, and where no name server answers no connection comes in time.
            if (!builder.ShouldSerialize("GSS Encryption Mode") && _environment["PGGSSENCMODE"] is null)
            {
                builder.GssEncryptionMode = GssEncryptionMode.Disable;
            }

            return builder.ToString();
        }
        catch (ArgumentException e)
        {
            Refuse(NodeSettings.JournalConnection, $"not a connection string: {e.Message.ReplaceLineEndings(" ")}");
            return "";
        }
    }

    private string? Token()
    {
        string? token = _credentials.Secret(NodeSettings.HttpToken, NodeSettings.HttpTokenFile);
        if (token is { Length: < MinTokenLength })
        {
            Refuse(NodeSettings.HttpToken, $"the token has fewer than {MinTokenLength} characters and could be guessed");
        }
        else if (token is not null && !token.All(c => c is > ' ' and < (char)127))
        {
            Refuse(NodeSettings.HttpToken, "the token has a character that is not visible ASCII");
        }
        else if (token is null && _values.Get(NodeSettings.HttpListen).FirstOrDefault(url => !IsLoopback(url.Host)) is { } open)
        {
            Refuse(NodeSettings.HttpListen, $"{open.GetLeftPart(UriPartial.Authority)} could be used by whoever reaches it; set http.token or http.tokenFile, or listen on 127.0.0.1");
        }

        return token;
    }

    private CertificateFile? HttpCertificate()
    {
        CertificateFile? certificate = _credentials.Certificate(NodeSettings.HttpCertificate, NodeSettings.HttpCertificatePassword, NodeSettings.HttpCertificatePasswordFile);
        bool wanted = _values.Get(NodeSettings.HttpListen).Any(url => url.Scheme == "https");
        if (wanted && certificate is null)
        {
            Refuse(NodeSettings.HttpListen, "https needs http.certificate");
        }

        return certificate;
    }

    private NodeAddress? Console(bool trusted)
    {
        int port = _values.Get(NodeSettings.ConsolePort);
        string bind = _values.Get(NodeSettings.ConsoleBind);
        if (port > 0 && !trusted && !IsLoopback(bind))
        {
            Refuse(NodeSettings.ConsoleBind, $"a console on '{bind}' could be used by whoever reaches it; bind it to 127.0.0.1, or set cluster.trustedNetwork: true where the network is the nodes' own");
        }

        // It asks nobody for the token that the API wants.
        bool wantsToken = _values.Has(NodeSettings.HttpToken) || _values.Has(NodeSettings.HttpTokenFile);
        return port == 0 || (wantsToken && !_values.Has(NodeSettings.ConsolePort)) ? null : new NodeAddress(bind, bind, port);
    }

    private SortedDictionary<string, string> Roots()
    {
        var roots = new SortedDictionary<string, string>(StringComparer.Ordinal);
        if (_values.Has(NodeSettings.WorkerRoots))
        {
            foreach ((string name, string directory) in _values.Get(NodeSettings.WorkerRoots))
            {
                bool isUrl = RemoteRoot.IsOne(directory);
                roots[name] = isUrl ? directory : Path.TrimEndingDirectorySeparator(Path.GetFullPath(directory, _directory));
                if (!isUrl && !Directory.Exists(roots[name]))
                {
                    Refuse(NodeSettings.WorkerRoots, $"root '{name}': there is no directory '{roots[name]}'");
                }
            }
        }

        return roots;
    }

    private string? DirectoryOf(TypedSetting<string> setting)
    {
        if (_values.Find(setting) is not { } text)
        {
            return null;
        }

        string directory = Path.GetFullPath(text, _directory);
        if (!Directory.Exists(directory))
        {
            Refuse(setting, $"there is no directory '{directory}'");
        }

        return directory;
    }

    private void Refuse(Setting setting, string problem) => _values.Refuse(setting, problem);

    private void ThrowIfAny()
    {
        if (_values.Problems.Count > 0)
        {
            throw new NodeConfigurationException([.. _values.Problems]);
        }
    }

    private static bool IsLoopback(string host) =>
        host == "localhost" || (IPAddress.TryParse(host.Trim('[', ']'), out IPAddress? address) && IPAddress.IsLoopback(address));
}
