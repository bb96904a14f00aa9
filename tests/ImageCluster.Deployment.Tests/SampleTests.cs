using ImageCluster.Jobs.Manifests;

namespace ImageCluster.Deployment.Tests;

/// <summary>Sample configurations, the sample manifest and the unit are what the programs take.</summary>
public class SampleTests
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
