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
