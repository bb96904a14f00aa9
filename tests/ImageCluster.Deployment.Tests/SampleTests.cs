using System.Text.RegularExpressions;
using ImageCluster.Jobs.Manifests;

namespace ImageCluster.Deployment.Tests;

/// <summary>Sample configurations, the sample manifest and the unit are what the programs take.</summary>
public partial class SampleTests
{
    [Theory]
    [InlineData("single")]
    [InlineData("coordinator")]
    [InlineData("worker")]
    public void AConfigurationHasOnlySettingsThatThereAre(string name) => Assert.All(
        YamlText.Documents(Repository.Read($"deploy/config/{name}.yaml")).Single().Keys(),
        key => Assert.Contains(Repository.SettingKeys, setting => key == setting || key.StartsWith(setting + ".", StringComparison.Ordinal)));

    [Fact]
    public void ThePagesExampleHasOnlySettingsThatThereAre()
    {
        MatchCollection examples = Example().Matches(Repository.Read("docs/node.md"));
        Assert.NotEmpty(examples);
        Assert.All(examples.SelectMany(example => YamlText.Documents(example.Groups[1].Value).Single().Keys()),
            key => Assert.Contains(Repository.SettingKeys, setting => key == setting || key.StartsWith(setting + ".", StringComparison.Ordinal)));
    }

    [GeneratedRegex("```yaml\n(.*?)```", RegexOptions.Singleline)]
    private static partial Regex Example();

    [Theory]
    [InlineData("coordinator")]
    [InlineData("worker")]
    public void NodesOfSeveralMachinesProveThemselvesByTheClustersAuthority(string name)
    {
        YamlDotNet.RepresentationModel.YamlNode sample = YamlText.Documents(Repository.Read($"deploy/config/{name}.yaml")).Single();
        Assert.Equal("/etc/imagecluster/node.p12", sample.Text("cluster/tls/certificate"));
        Assert.Equal("/etc/imagecluster/authority.pem", sample.Text("cluster/tls/authority"));
        Assert.Null(sample.At("cluster/tls/validate"));
    }

    [SkippableFact]
    public void CertificatesAreMadeOnceAndOnlyTheirOwnerReadsThem()
    {
        string directory = Directory.CreateTempSubdirectory("imagecluster-").FullName;
        try
        {
            string made = Path.Combine(directory, "certificates");
            (int exitCode, string output, string errors) = Repository.Run("bash", "deploy/make-certificates", made, "node1.example.org", "10.0.0.2") ?? (127, "", "");
            Skip.If(exitCode == 127, "bash or openssl is not installed");
            Assert.True(exitCode == 0, output + errors);
            string[] files = ["10.0.0.2.p12", "10.0.0.2.p12.password", "authority.key", "authority.pem", "node1.example.org.p12", "node1.example.org.p12.password"];
            Assert.Equal(files, Directory.EnumerateFiles(made).Select(Path.GetFileName).Order(StringComparer.Ordinal));
            Assert.All(files, file => Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Path.Combine(made, file))));
            // Again, and for one more: what is there stays.
            byte[] authority = File.ReadAllBytes(Path.Combine(made, "authority.pem"));
            (exitCode, output, _) = Repository.Run("bash", "deploy/make-certificates", made, "10.0.0.2", "node3")!.Value;
            Assert.Equal(0, exitCode);
            Assert.Equal($"made {made}/node3.p12\n", output);
            Assert.Equal(authority, File.ReadAllBytes(Path.Combine(made, "authority.pem")));
            Assert.Equal(2, Repository.Run("bash", "deploy/make-certificates", made, "../node4")!.Value.ExitCode);
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    [Fact]
    public void TheManifestIsOne()
    {
        MigrationManifest manifest = ManifestParser.Parse(Repository.Read("deploy/migration.yaml"), "migration.yaml");
        Assert.Equal("qcow2", manifest.Target.Format);
    }

    [Fact]
    public void AlertsAskForMetricsThatThereAre()
    {
        string page = Repository.Read("docs/node.md");
        YamlDotNet.RepresentationModel.YamlNode[] rules = [.. YamlText.Documents(Repository.Read("deploy/prometheus/alerts.yaml")).Single().Items("groups").SelectMany(group => group.Items("rules"))];
        Assert.NotEmpty(rules);
        Assert.All(rules, rule =>
        {
            MatchCollection metrics = Metric().Matches(rule.Text("expr")!);
            Assert.NotEmpty(metrics);
            Assert.All(metrics, metric => Assert.Matches($"`{metric.Value}[`{{]", page));
        });
    }

    [GeneratedRegex("imagecluster_[a-z_]+")]
    private static partial Regex Metric();

    [SkippableFact]
    public void TheUnitIsOne()
    {
        string unit = Path.Combine(Directory.CreateTempSubdirectory("imagecluster-").FullName, "imagecluster-node.service");
        try
        {
            // The program is not installed here.
            File.WriteAllText(unit, Repository.Read("deploy/systemd/imagecluster-node.service").Replace("/opt/imagecluster/imagecluster-node", "/bin/true", StringComparison.Ordinal));
            (int exitCode, _, string errors) = Repository.Run("systemd-analyze", "verify", "--man=no", unit) ?? (-1, "", "");
            Skip.If(exitCode == -1, "systemd-analyze is not installed");
            Assert.True(exitCode == 0 && !errors.Contains(unit, StringComparison.Ordinal), errors);
        }
        finally
        {
            Directory.Delete(Path.GetDirectoryName(unit)!, recursive: true);
        }
    }
}
