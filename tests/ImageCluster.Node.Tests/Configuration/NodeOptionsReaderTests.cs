using System.Collections;
using ImageCluster.Node.Configuration;
using ImageCluster.Node.Tests.Support;
using ImageCluster.Testing.Storage;
using Npgsql;

namespace ImageCluster.Node.Tests.Configuration;

public sealed class NodeOptionsReaderTests : IDisposable
{
    private readonly TempDirectory _directory = new();
    private readonly Hashtable _environment = [];

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void A_coordinator_on_loopback_needs_no_settings()
    {
        NodeOptions options = Read("--roles", "coordinator");
        Assert.Equal(["coordinator"], options.Roles);
        Assert.Equal(new NodeAddress("127.0.0.1", "127.0.0.1", 4053), options.Cluster);
        Assert.Equal("http://127.0.0.1:8080/", Assert.Single(options.HttpListen).ToString());
        Assert.Contains(Path.Join(_directory.Path, "imagecluster.db"), options.Journal!.ConnectionString, StringComparison.Ordinal);
        Assert.False(options.Journal!.IsPostgreSql);
        Assert.True(options.Journal!.CreateTables);
        Assert.Null(options.Quorum);
        Assert.Null(options.HttpToken);
        Assert.Equal(Environment.ProcessorCount, options.Slots);
    }

    [Fact]
    public void The_file_counts_before_defaults_the_environment_before_it_and_arguments_before_all()
    {
        Directory.CreateDirectory(_directory["etc/disks"]);
        File.WriteAllText(_directory["etc/node.yaml"], """
            roles: [coordinator, worker]
            cluster:
              port: 1001
              seeds: [one:4053, "two:4053"]
            http:
              listen: http://127.0.0.1:1002
            worker:
              slots: 3
              roots:
                kvm: disks
            journal:
              file: records.db
            limits: {roots: {kvm: 4}}
            downing: {strategy: static-quorum, quorum: 2, stableAfter: 20s}
            """);
        _environment["IMAGECLUSTER_HTTP__LISTEN"] = "http://127.0.0.1:2002";
        _environment["IMAGECLUSTER_WORKER__SLOTS"] = "5";
        _environment["IMAGECLUSTER_SEED"] = "random";
        NodeOptions options = Read("--config", "etc/node.yaml", "--worker.slots=7");
        Assert.Equal(["coordinator", "worker"], options.Roles);
        Assert.Equal(1001, options.Cluster.Port);
        Assert.Equal("one:4053 two:4053", string.Join(' ', options.Seeds.Select(seed => $"{seed.Host}:{seed.Port}")));
        Assert.Equal(2002, options.HttpListen[0].Port);
        Assert.Equal(7, options.Slots);
        // Relative to the file.
        Assert.Equal(_directory["etc/disks"], options.Roots["kvm"]);
        Assert.Contains(_directory["etc/records.db"], options.Journal!.ConnectionString, StringComparison.Ordinal);
        Assert.Equal(4, options.RootLimits["kvm"]);
        Assert.Equal(2, options.Quorum);
        Assert.Equal(TimeSpan.FromSeconds(20), options.StableAfter);
    }

    [Fact]
    public void Passwords_of_images_are_in_a_directory_of_their_own_or_systemds()
    {
        Directory.CreateDirectory(_directory["passwords"]);
        Assert.Null(Read("--roles", "coordinator").SecretsDirectory);
        // No setting, however many underscores it has.
        _environment["IMAGECLUSTER_SECRET_A__B"] = "x";
        _environment["CREDENTIALS_DIRECTORY"] = "/run/credentials/imagecluster-node.service";
        Assert.Equal("/run/credentials/imagecluster-node.service", Read("--roles", "coordinator").SecretsDirectory);
        Assert.Equal(_directory["passwords"], Read("--roles", "coordinator", "--worker.secrets", "passwords").SecretsDirectory);
    }

    [Fact]
    public void How_jobs_are_run_can_be_set()
    {
        NodeOptions options = Read("--roles", "coordinator");
        Assert.Equal((30, 300, 600, 5, 16), ((int)options.AssignmentDuration.TotalSeconds, (int)options.LeaseDuration.TotalSeconds, (int)options.ImageWait.TotalSeconds,
            (int)options.TaskTime.TotalSeconds, options.ImagesAtATime));
        options = Read("--roles", "coordinator", "--jobs.assignment", "2m", "--jobs.lease", "8m", "--jobs.imageWait", "1h", "--jobs.taskTime", "500ms", "--jobs.images", "3");
        Assert.Equal((120, 480, 3600, 500, 3), ((int)options.AssignmentDuration.TotalSeconds, (int)options.LeaseDuration.TotalSeconds, (int)options.ImageWait.TotalSeconds,
            (int)options.TaskTime.TotalMilliseconds, options.ImagesAtATime));
        Assert.Equal(TimeSpan.FromDays(90), options.Retention);
        Assert.Equal(TimeSpan.FromDays(7), Read("--roles", "coordinator", "--jobs.keepDays", "7").Retention);
        Assert.Null(Read("--roles", "coordinator", "--jobs.keepDays", "0").Retention);
    }

    [Fact]
    public void Json_is_read_as_yaml_is_and_the_environment_can_name_the_file()
    {
        File.WriteAllText(_directory["node.json"], """{"roles": ["coordinator"], "cluster": {"port": 77}, "log": {"format": "json"}}""");
        _environment["IMAGECLUSTER_CONFIG"] = "node.json";
        NodeOptions options = Read();
        Assert.Equal(77, options.Cluster.Port);
        Assert.True(options.LogAsJson);
    }

    [Theory]
    [InlineData("cluster:\n  prot: 1\n", "node.yaml:2: 'cluster.prot' is not a setting; did you mean 'cluster.port'?")]
    [InlineData("cluster:\n  port: 65536\n", "node.yaml:2: 'cluster.port': '65536' is not a number from 0 to 65535")]
    [InlineData("roles: [boss]\n", "node.yaml:1: 'roles': 'boss' has 'boss', which is none of coordinator, worker")]
    [InlineData("roles: []\n", "node.yaml:1: 'roles': '' is empty")]
    [InlineData("downing:\n  stableAfter: 10\n", "node.yaml:2: 'downing.stableAfter': '10' is not a time from 1s to 10m, such as 500ms, 10s, 2m or 1h")]
    [InlineData("cluster: 5\n", "node.yaml:1: 'cluster' is not a setting")]
    [InlineData("cluster:\n  port: {a: b}\n", "node.yaml:2: 'cluster.port': '' is not a number from 0 to 65535")]
    [InlineData("log:\n  level: loud\n", "node.yaml:2: 'log.level': 'loud' is none of debug, information, warning, error")]
    [InlineData("log:\n  level: error\nlog:\n  format: text\n", "node.yaml:3: 'log' stands here a second time")]
    [InlineData("- a\n", "node.yaml: a configuration file is a map of settings")]
    [InlineData("a: [b\n", "not YAML")]
    [InlineData("cluster:\n  seeds: [nowhere]\n", "node.yaml:2: 'cluster.seeds': 'nowhere' has 'nowhere', which is not HOST:PORT")]
    [InlineData("http:\n  listen: ftp://x\n", "which is not http://HOST:PORT or https://HOST:PORT")]
    [InlineData("http:\n  token: \"\"\n", "node.yaml:2: 'http.token' is empty or has a control character")]
    [InlineData("worker:\n  roots: {kvm: /nowhere/at/all}\n", "node.yaml:2: worker.roots: root 'kvm': there is no directory '/nowhere/at/all'")]
    [InlineData("jobs:\n  lease: 1m\n", "node.yaml:2: jobs.lease: jobs.lease must be at least four times jobs.assignment")]
    [InlineData("jobs:\n  assignment: 2m\n", "node.yaml:2: jobs.assignment: jobs.lease must be at least four times jobs.assignment")]
    [InlineData("worker:\n  secrets: /nowhere/at/all\n", "node.yaml:2: worker.secrets: there is no directory '/nowhere/at/all'")]
    [InlineData("limits:\n  roots: {kvm: none}\n", "has 'none' for 'kvm', which is not a number from 1 to 1000000")]
    public void What_is_wrong_is_said_with_its_place(string yaml, string problem)
    {
        File.WriteAllText(_directory["node.yaml"], yaml);
        Assert.Contains(problem, string.Join('\n', Problems("--config", "node.yaml")), StringComparison.Ordinal);
    }

    [Fact]
    public void A_root_may_have_a_comma_in_its_name_and_none_stands_twice()
    {
        Directory.CreateDirectory(_directory["old, older"]);
        File.WriteAllText(_directory["node.yaml"], "roles: [worker]\nworker:\n  roots: {a: 'old, older', b: .}\n");
        Assert.Equal([new("a", _directory["old, older"]), new("b", _directory.Path)], Read("--config", "node.yaml").Roots);
        Assert.Equal(_directory["old, older"], Read("--roles", "worker", "--worker.roots", "b=.,a=old\\, older").Roots["a"]);
        File.WriteAllText(_directory["node.yaml"], "roles: [worker]\nworker:\n  roots:\n    a: .\n    a: 'old, older'\n");
        Assert.Contains("has 'a' a second time", Problem("--config", "node.yaml"), StringComparison.Ordinal);
    }

    [Fact]
    public void Everything_that_is_wrong_is_said_at_once()
    {
        _environment["IMAGECLUSTER_CLUSTER__PROT"] = "1";
        Assert.Equal(
            [
                "'stray' is not an argument; settings are given as --KEY VALUE (see --help)", "--log.level needs a value",
                "none.yaml: Could not find file '" + _directory["none.yaml"] + "'.", "IMAGECLUSTER_CLUSTER__PROT: there is no such setting",
                "--http.token: a secret is not given in an argument, which everybody on the machine can read; use a file or the environment",
            ],
            Problems("stray", "--config", "none.yaml", "--http.token", "x", "--log.level"));
    }

    [Fact]
    public void The_api_is_open_on_loopback_only()
    {
        Assert.Contains("set http.token or http.tokenFile, or listen on 127.0.0.1", Problem("--roles", "coordinator", "--http.listen", "http://127.0.0.1:1,http://0.0.0.0:2"),
            StringComparison.Ordinal);
        Assert.Null(Read("--roles", "coordinator", "--http.listen", "http://[::1]:1,http://localhost:2,http://127.0.0.9:3").HttpToken);
        _environment["IMAGECLUSTER_HTTP__TOKEN"] = "too short";
        Assert.Contains("has fewer than 16 characters", Problem("--roles", "coordinator"), StringComparison.Ordinal);
        _environment["IMAGECLUSTER_HTTP__TOKEN"] = "with a blank in it";
        Assert.Contains("not visible ASCII", Problem("--roles", "coordinator"), StringComparison.Ordinal);
        _environment["IMAGECLUSTER_HTTP__TOKEN"] = "0123456789abcdef";
        Assert.Equal("0123456789abcdef", Read("--roles", "coordinator", "--http.listen", "http://0.0.0.0:2").HttpToken);
        Assert.DoesNotContain("0123456789abcdef", Read("--roles", "coordinator").ToString(), StringComparison.Ordinal);
        // The console would not ask for it.
        Assert.Null(Read("--roles", "coordinator").Console);
        Assert.Equal(9111, Read("--roles", "coordinator", "--console.port", "9111").Console!.Port);
        File.WriteAllText(_directory["token"], "fedcba9876543210\n");
        Assert.Contains("both 'http.token' and 'http.tokenFile' are set", Problem("--roles", "coordinator", "--http.tokenFile", "token"), StringComparison.Ordinal);
        _environment.Clear();
        Assert.Equal("fedcba9876543210", Read("--roles", "coordinator", "--http.listen", "http://0.0.0.0:2", "--http.tokenFile", "token").HttpToken);
    }

    [Fact]
    public void Nodes_speak_in_the_clear_on_loopback_only_unless_the_network_is_theirs()
    {
        Assert.Contains("set cluster.tls.certificate, or cluster.trustedNetwork: true", Problem("--roles", "coordinator", "--cluster.bind", "0.0.0.0"), StringComparison.Ordinal);
        NodeOptions trusted = Read("--roles", "coordinator", "--cluster.bind", "0.0.0.0", "--cluster.trustedNetwork", "true");
        Assert.Equal(System.Net.Dns.GetHostName(), trusted.Cluster.Host);
        Assert.Contains("a console on '0.0.0.0' could be used by whoever reaches it", Problem("--roles", "coordinator", "--console.bind", "0.0.0.0"), StringComparison.Ordinal);
        Assert.Null(Read("--roles", "coordinator", "--console.bind", "0.0.0.0", "--console.port", "0").Console);
        Assert.NotNull(Read("--roles", "coordinator").Console);
    }

    [Fact]
    public void Certificates_are_looked_at_before_the_start()
    {
        using var authority = new TestAuthority(_directory, "authority");
        using var other = new TestAuthority(_directory, "other");
        ClusterTls tls = authority.Issue("node");
        string[] alone = ["--roles", "coordinator", "--cluster.bind", "0.0.0.0", "--cluster.tls.certificate", "node.p12", "--cluster.tls.passwordFile", "certificate-password"];
        string[] arguments = [.. alone, "--cluster.tls.authority", "authority.pem"];
        NodeOptions options = Read(arguments);
        Assert.Equal(tls, options.ClusterTls);
        Assert.DoesNotContain(TestAuthority.Password, options.ToString() + tls, StringComparison.Ordinal);

        Assert.Contains("set cluster.tls.authority too", Problem(alone), StringComparison.Ordinal);
        Assert.Null(Read([.. alone, "--cluster.tls.validate", "false"]).ClusterTls!.AuthorityPath);
        Assert.Contains("it goes with cluster.tls.certificate", Problem("--roles", "coordinator", "--cluster.tls.authority", "authority.pem"), StringComparison.Ordinal);
        Assert.Contains("'" + _directory["none.pem"] + "' cannot be used: ", Problem([.. alone, "--cluster.tls.authority", "none.pem"]), StringComparison.Ordinal);
        File.WriteAllText(_directory["empty.pem"], "");
        Assert.Contains("has no certificate of an authority that signed itself", Problem([.. alone, "--cluster.tls.authority", "empty.pem"]), StringComparison.Ordinal);
        Assert.Contains($"other nodes would refuse this one: its certificate (CN=node, from CN=authority) comes from no authority in '{other.Path}'",
            Problem([.. alone, "--cluster.tls.authority", "other.pem"]), StringComparison.Ordinal);
        authority.Issue("node", days: -1);
        Assert.Contains("other nodes would refuse this one: its certificate (CN=node, from CN=authority) is valid only from", Problem(arguments), StringComparison.Ordinal);
        File.WriteAllText(authority.PasswordPath, "wrong");
        Assert.Contains("cannot be used", Problem(arguments), StringComparison.Ordinal);
        Assert.Contains("https needs http.certificate", Problem("--roles", "coordinator", "--http.listen", "https://127.0.0.1:1"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Host=10.0.0.1;Database=x", null, GssEncryptionMode.Disable)]
    [InlineData("Host=10.0.0.1;Database=x;GSS Encryption Mode=Require", null, GssEncryptionMode.Require)]
    [InlineData("Host=10.0.0.1;Database=x;GssEncryptionMode=Prefer", null, GssEncryptionMode.Prefer)]
    [InlineData("Host=10.0.0.1;Database=x", "require", null)]
    public void Kerberos_and_with_it_the_name_server_is_asked_only_where_that_is_said(string connection, string? ofTheEnvironment, GssEncryptionMode? expected)
    {
        _environment["IMAGECLUSTER_JOURNAL__CONNECTION"] = connection;
        _environment["PGGSSENCMODE"] = ofTheEnvironment;
        var read = new NpgsqlConnectionStringBuilder(Read("--roles", "coordinator", "--journal.provider", "postgresql").Journal!.ConnectionString);
        Assert.Equal(expected is not null, read.ShouldSerialize("GSS Encryption Mode"));
        if (expected is { } mode)
        {
            Assert.Equal(mode, read.GssEncryptionMode);
        }
    }

    [Fact]
    public void The_journal_is_sqlite_or_postgresql()
    {
        Assert.Contains("postgresql needs journal.connection or journal.connectionFile", Problem("--roles", "coordinator", "--journal.provider", "postgresql"), StringComparison.Ordinal);
        _environment["IMAGECLUSTER_JOURNAL__CONNECTION"] = "Host=db;Password=secret1;Database=x";
        Assert.Contains("goes with journal.provider: postgresql only", Problem("--roles", "coordinator"), StringComparison.Ordinal);
        NodeOptions options = Read("--roles", "coordinator", "--journal.provider", "postgresql");
        Assert.True(options.Journal!.IsPostgreSql);
        Assert.DoesNotContain("secret1", options.ToString(), StringComparison.Ordinal);
        _environment["IMAGECLUSTER_JOURNAL__CONNECTION"] = "Hots=db";
        Assert.Contains("not a connection string", Problem("--roles", "coordinator", "--journal.provider", "postgresql"), StringComparison.Ordinal);
        _environment.Clear();
        Assert.Contains("there is no directory", Problem("--roles", "coordinator", "--journal.file", "none/x.db"), StringComparison.Ordinal);
    }

    [Fact]
    public void A_node_that_is_no_coordinator_has_no_journal()
    {
        // Settings that nodes share may speak of it; neither the secret nor the directory need be there.
        _environment["IMAGECLUSTER_JOURNAL__PROVIDER"] = "postgresql";
        _environment["IMAGECLUSTER_JOURNAL__CONNECTIONFILE"] = "/nowhere/at/all";
        Assert.Null(Read("--roles", "worker", "--worker.roots", $"kvm={_directory.Path}").Journal);
        Assert.Contains("/nowhere/at/all", Assert.Single(Problems("--roles", "coordinator"), problem => problem.Contains("connectionFile: ", StringComparison.Ordinal)), StringComparison.Ordinal);
    }

    [Fact]
    public void A_worker_needs_roots_and_a_quorum_its_strategy()
    {
        Assert.Contains("a worker without roots gets no work", Problem(), StringComparison.Ordinal);
        Assert.Contains("static-quorum needs downing.quorum", Problem("--roles", "coordinator", "--downing.strategy", "static-quorum"), StringComparison.Ordinal);
        Assert.Contains("goes with downing.strategy: static-quorum only", Problem("--roles", "coordinator", "--downing.quorum", "2"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("one:4053", "", null)]
    [InlineData("one:4053,two:4053", "", null)]
    [InlineData("one:4053,two:4053,three:4053", "", 2)]
    [InlineData("one:4053,two:4053,three:4053,one:4053", "", 2)]
    [InlineData("one:4053,two:4053,three:4053,four:4053,five:4053", "", 3)]
    [InlineData("one:4053,two:4053,three:4053", "keep-majority", null)]
    [InlineData("one:4053,two:4053", "static-quorum", 2)]
    public void The_quorum_is_counted_by_the_seeds(string seeds, string strategy, int? quorum)
    {
        string[] more = strategy.Length == 0 ? [] : ["--downing.strategy", strategy];
        Assert.Equal(quorum, Read(["--roles", "coordinator", "--cluster.host", "One", "--cluster.seeds", seeds, .. more]).Quorum);
        // A worker is among no seeds and counts alike.
        Assert.Equal(quorum, Read(["--roles", "worker", "--worker.roots", $"kvm={_directory.Path}", "--cluster.seeds", seeds, .. more]).Quorum);
    }

    [Fact]
    public void A_coordinator_that_would_not_be_counted_is_refused()
    {
        string[] arguments = ["--roles", "coordinator", "--cluster.host", "four", "--cluster.seeds", "one:4053,two:4053,three:4053"];
        Assert.Contains("this coordinator, four:4053, is not among them", Problem(arguments), StringComparison.Ordinal);
        Assert.Equal(3, Read([.. arguments, "--downing.strategy", "static-quorum", "--downing.quorum", "3"]).Quorum);
        Assert.Null(Read([.. arguments, "--downing.strategy", "keep-majority"]).Quorum);
    }

    private NodeOptions Read(params string[] arguments) => NodeOptionsReader.Read(arguments, _environment, _directory.Path);

    private string Problem(params string[] arguments) => Assert.Single(Problems(arguments));

    private IReadOnlyList<string> Problems(params string[] arguments) =>
        Assert.Throws<NodeConfigurationException>(() => Read(arguments)).Problems;
}
