using System.Net;
using ImageCluster.Cluster.Hosting;
using static ImageCluster.Node.Configuration.SettingKinds;

namespace ImageCluster.Node.Configuration;

/// <summary>Every setting that a node has, in the order in which docs/node.md shows them.</summary>
public static class NodeSettings
{
    public const string Sqlite = "sqlite";

    public const string PostgreSql = "postgresql";

    public const string BySeeds = "by-seeds";

    public const string KeepMajority = "keep-majority";

    public const string StaticQuorum = "static-quorum";

    public static TypedSetting<IReadOnlyList<string>> Roles { get; } = Words("roles",
        [ImageClusterSettings.CoordinatorRole, ImageClusterSettings.WorkerRole], [ImageClusterSettings.CoordinatorRole, ImageClusterSettings.WorkerRole],
        "What the node does: a coordinator keeps records and schedules, a worker reads and writes images.");

    public static TypedSetting<string> ClusterBind { get; } = Text("cluster.bind", "address", "127.0.0.1",
        "The address that other nodes' connections are taken on. Any but a loopback address needs `cluster.tls.certificate` or `cluster.trustedNetwork`.");

    public static TypedSetting<string> ClusterHost { get; } = Text("cluster.host", "name or address", "",
        "What other nodes reach this one by. Without it: `cluster.bind`, or the machine's name where that is a wildcard (0.0.0.0).");

    public static TypedSetting<int> ClusterPort { get; } = Number("cluster.port", 4053, 0, 65535, "The port for other nodes; 0: the system chooses.");

    public static TypedSetting<IReadOnlyList<DnsEndPoint>> ClusterSeeds { get; } = Addresses("cluster.seeds",
        "Coordinators to join by, the same list on every node. Where there is no cluster yet, the first of them forms one as soon as a majority of the list is up, so " +
        "that no second one comes up beside a first. Without any the node is a cluster of its own, which others can join by its address.");

    public static TypedSetting<int> ClusterPartitions { get; } = Number("cluster.partitions", 100, 1, 10_000,
        "Parts that records are divided into to be spread over coordinators: some ten for each. The same on every node; it must not change while any node runs.");

    public static TypedSetting<string> TlsCertificate { get; } = Text("cluster.tls.certificate", "file", "",
        "TLS between nodes: a PKCS#12 file with this node's certificate and private key. Each side of each connection shows its own.");

    public static TypedSetting<string> TlsAuthority { get; } = Text("cluster.tls.authority", "file", "",
        "A PEM file with the authority (or several) that nodes' certificates come from. No other counts, whatever the machine trusts. The same on every node.");

    public static TypedSetting<string> TlsPassword { get; } = Secret("cluster.tls.password", "text", "The password of that file.");

    public static TypedSetting<string> TlsPasswordFile { get; } = Text("cluster.tls.passwordFile", "file", "", "A file with that password.");

    public static TypedSetting<bool> TlsValidate { get; } = Flag("cluster.tls.validate", true,
        "Look at the others' certificates. Off, whoever reaches the node's port can do anything with the cluster: only for trials.");

    public static TypedSetting<bool> TrustedNetwork { get; } = Flag("cluster.trustedNetwork", false,
        "Says that nobody else reaches the nodes' ports (a network of their own, a network policy), so that they may do without TLS. Whoever reaches such a port " +
        "can do anything with the cluster.");

    public static TypedSetting<string> DowningStrategy { get; } = Choice("downing.strategy", BySeeds, [BySeeds, KeepMajority, StaticQuorum],
        "Which part goes on where nodes lose sight of each other: the one with the majority of the coordinators seen last (`keep-majority`), or one with `downing.quorum` of " +
        "them (`static-quorum`). `by-seeds`: a quorum of more than half of `cluster.seeds` where these are three or more, else `keep-majority`. The same on every node.");

    public static TypedSetting<int> DowningQuorum { get; } = Number("downing.quorum", 0, 0, 1000,
        "For `static-quorum`: more than half of all the coordinators that there will ever be at once; 0: of `cluster.seeds`.");

    public static TypedSetting<TimeSpan> DowningStableAfter { get; } = Time("downing.stableAfter", "10s", TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(10),
        "How long the picture must stay the same before the other part is given up. Longer for more nodes (20s for some tens).");

    public static TypedSetting<string> JournalProvider { get; } = Choice("journal.provider", Sqlite, [Sqlite, PostgreSql],
        "Where coordinators keep records: a node of another role opens no journal and looks at none of these settings. SQLite is a file on one machine, for one node or several " +
        "processes there; coordinators on several machines need PostgreSQL.");

    public static TypedSetting<string> JournalFile { get; } = Text("journal.file", "file", "imagecluster.db", "The file of SQLite.");

    public static TypedSetting<string> JournalConnection { get; } = Secret("journal.connection", "connection string",
        "How PostgreSQL is reached, as Npgsql has it: `Host=db;Database=imagecluster;Username=imagecluster;Password=...`");

    public static TypedSetting<string> JournalConnectionFile { get; } = Text("journal.connectionFile", "file", "", "A file with that connection string.");

    public static TypedSetting<bool> JournalCreateTables { get; } = Flag("journal.createTables", true, "Create the tables where they are not there.");

    public static TypedSetting<IReadOnlyList<Uri>> HttpListen { get; } = Urls("http.listen", "http://127.0.0.1:8080",
        "Where the HTTP API is; port 0: the system chooses. Any but a loopback address needs a token.");

    public static TypedSetting<string> HttpToken { get; } = Secret("http.token", "text",
        "What clients must show as a bearer token; 16 characters or more. Everybody who has it can do everything.");

    public static TypedSetting<string> HttpTokenFile { get; } = Text("http.tokenFile", "file", "", "A file with that token.");

    public static TypedSetting<string> HttpCertificate { get; } = Text("http.certificate", "file", "", "For https: a PKCS#12 file with certificate and private key.");

    public static TypedSetting<string> HttpCertificatePassword { get; } = Secret("http.certificatePassword", "text", "The password of that file.");

    public static TypedSetting<string> HttpCertificatePasswordFile { get; } = Text("http.certificatePasswordFile", "file", "", "A file with that password.");

    public static TypedSetting<IReadOnlyDictionary<string, string>> WorkerRoots { get; } = Map("worker.roots", "map of names to directories or URLs",
        "The roots that this node's worker reaches, by the names that the whole cluster calls them by: directories, or URLs (docs/protocols.md). It gets only work all of " +
        "whose roots it has.", Text("directory", "directory", "", ""));

    public static TypedSetting<int> WorkerSlots { get; } = Number("worker.slots", 0, 0, 1024, "Shards at a time, each with a thread of its own; 0: as many as cores.");

    public static TypedSetting<string> WorkerSecrets { get; } = Text("worker.secrets", "directory", "",
        "Where this node's worker finds the passwords of encrypted images: a file for each, called as manifests and jobs call the secret. Without it: the directory of " +
        "systemd's credentials, where the service has any. A variable `IMAGECLUSTER_SECRET_NAME` does as well.");

    public static TypedSetting<IReadOnlyDictionary<string, int>> RootLimits { get; } = Map("limits.roots", "map of names to numbers",
        "Shards at a time that touch a root, over the whole cluster; no limit for a root that is not named. The same on every coordinator.",
        Number("limit", 1, 1, 1_000_000, ""));

    public static TypedSetting<TimeSpan> JobsAssignment { get; } = Time("jobs.assignment", "30s", TimeSpan.FromSeconds(2), TimeSpan.FromHours(1),
        "How long a worker goes on with shards without hearing from their job, and so how long a lost worker's shards wait until another gets them. Longer where the " +
        "network or the journal is slow. The same on every coordinator, as all of `jobs`.");

    public static TypedSetting<TimeSpan> JobsLease { get; } = Time("jobs.lease", "5m", TimeSpan.FromSeconds(10), TimeSpan.FromHours(24),
        "How long a job's hold on its images outlives the job's last sign of life: longer than coordinators need to start elsewhere, and at least four times `jobs.assignment`.");

    public static TypedSetting<TimeSpan> JobsImageWait { get; } = Time("jobs.imageWait", "10m", TimeSpan.FromSeconds(1), TimeSpan.FromHours(24 * 7),
        "How long a job waits for images that others use before it fails.");

    public static TypedSetting<TimeSpan> JobsTaskTime { get; } = Time("jobs.taskTime", "5s", TimeSpan.FromMilliseconds(100), TimeSpan.FromHours(1),
        "About how long a worker shall be busy with the shards that it is given at once: more is fewer messages and writes to the journal, and more lost with a worker.");

    public static TypedSetting<int> JobsImages { get; } = Number("jobs.images", 16, 1, 1024,
        "Images of a migration at a time, where its manifest does not say (`parallel.images`).");

    public static TypedSetting<int> JobsKeepDays { get; } = Number("jobs.keepDays", 90, 0, 36_500,
        "How many days jobs and migrations that are over stay listed and in the journal; 0: for ever. What images know of each other is kept.");

    public static TypedSetting<int> ConsolePort { get; } = Number("console.port", 9110, 0, 65535,
        "The port of the operator's console (Petabridge.Cmd), where this build has it; 0: none. Where the API wants a token there is none unless this is set.");

    public static TypedSetting<string> ConsoleBind { get; } = Text("console.bind", "address", "127.0.0.1",
        "The console's address. It asks nobody for a token, so any but a loopback address needs `cluster.trustedNetwork`.");

    public static TypedSetting<string> ConsoleManifests { get; } = Text("console.manifests", "directory", "",
        "Where `migration submit --file` finds manifests; without it the console takes them in the line only.");

    public static TypedSetting<string> LogLevel { get; } = Choice("log.level", "information", ["debug", "information", "warning", "error"], "What is logged at the least.");

    public static TypedSetting<string> LogFormat { get; } = Choice("log.format", "text", ["text", "json"], "Lines for people, or JSON objects, a line each. Both go to standard output.");

    public static TypedSetting<TimeSpan> ShutdownTimeout { get; } = Time("shutdown.timeout", "30s", TimeSpan.FromSeconds(1), TimeSpan.FromHours(1),
        "How long a node that is told to stop (SIGTERM) may take to hand back its work and its records. Whatever has not ended then is given out again by the others.");

    public static TypedSetting<string> AddressFile { get; } = Text("addressFile", "file", "",
        "Written once the node is a member of the cluster that is up: JSON with the addresses that it has, for ports that the system chose.");

    public static IReadOnlyList<Setting> All { get; } =
    [
        Roles, ClusterBind, ClusterHost, ClusterPort, ClusterSeeds, ClusterPartitions, TlsCertificate, TlsAuthority, TlsPassword, TlsPasswordFile, TlsValidate, TrustedNetwork,
        DowningStrategy, DowningQuorum, DowningStableAfter, JournalProvider, JournalFile, JournalConnection, JournalConnectionFile, JournalCreateTables,
        HttpListen, HttpToken, HttpTokenFile, HttpCertificate, HttpCertificatePassword, HttpCertificatePasswordFile, WorkerRoots, WorkerSlots, WorkerSecrets,
        RootLimits,
        JobsAssignment, JobsLease, JobsImageWait, JobsTaskTime, JobsImages, JobsKeepDays,
        ConsolePort, ConsoleBind, ConsoleManifests, LogLevel, LogFormat, ShutdownTimeout, AddressFile,
    ];
}
