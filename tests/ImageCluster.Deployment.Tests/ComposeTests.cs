using YamlDotNet.RepresentationModel;

namespace ImageCluster.Deployment.Tests;

/// <summary>deploy/compose.yaml: its services, settings and secrets fit together.</summary>
public class ComposeTests
{
    private readonly YamlNode _file = YamlText.Documents(Repository.Read("deploy/compose.yaml")).Single();

    private IEnumerable<(string Key, YamlNode Value)> Nodes => _file.Entries("services").Where(service => service.Value.Text("image") == "imagecluster/node");

    [Fact]
    public void ThereAreThreeCoordinatorsAndScalableWorkers()
    {
        string[] coordinators = [.. Nodes.Where(node => node.Value.Text("environment/IMAGECLUSTER_ROLES") == "coordinator").Select(node => node.Key)];
        Assert.Equal(3, coordinators.Length);
        Assert.All(Nodes, node => Assert.Equal(
            string.Join(',', coordinators.Select(name => $"{name}:4053")), node.Value.Text("environment/IMAGECLUSTER_CLUSTER__SEEDS")));
        YamlNode worker = Assert.Single(Nodes, node => node.Value.Text("environment/IMAGECLUSTER_ROLES") == "worker").Value;
        // A fixed name or port would keep a second one from starting.
        Assert.Null(worker.At("ports"));
        Assert.Null(worker.At("hostname"));
        Assert.Null(worker.At("environment/IMAGECLUSTER_CLUSTER__HOST"));
    }

    [Fact]
    public void SettingsAreTheNodes() => Assert.All(Nodes, node => Assert.All(
        node.Value.Entries("environment"), setting => Assert.Contains(setting.Key, Repository.SettingVariables)));

    [Fact]
    public void SecretsAreDeclaredAndMadeAndNotInTheTree()
    {
        string[] declared = [.. _file.Entries("secrets").Select(secret => secret.Key)];
        foreach ((_, YamlNode service) in _file.Entries("services"))
        {
            Assert.All(service.Items("secrets"), secret => Assert.Contains(secret.ToString(), declared));
        }

        string maker = Repository.Read("deploy/make-secrets");
        Assert.All(declared, name => Assert.Contains($"\nwrite {name} ", maker, StringComparison.Ordinal));
        Assert.Contains("deploy/secrets/", Repository.Read(".gitignore"), StringComparison.Ordinal);
    }

    [Fact]
    public void NodesAreRestricted() => Assert.All(Nodes, node =>
    {
        Assert.Equal("true", node.Value.Text("read_only"));
        Assert.Equal("ALL", node.Value.Text("cap_drop/0"));
    });

    [Fact]
    public void OnlyCoordinatorsHaveTheJournal() => Assert.All(Nodes, node =>
    {
        bool keeps = node.Value.Text("environment/IMAGECLUSTER_ROLES") == "coordinator";
        Assert.Equal(keeps ? "service_healthy" : null, node.Value.Text("depends_on/database/condition"));
        Assert.Equal(keeps ? ["token", "journal"] : ["token"], node.Value.Items("secrets").Select(secret => secret.ToString()));
        Assert.Equal(keeps, node.Value.Entries("environment").Any(setting => setting.Key.StartsWith("IMAGECLUSTER_JOURNAL__", StringComparison.Ordinal)));
    });

    [Fact]
    public void OnlyLoopbackIsPublished() => Assert.All(
        _file.Entries("services").SelectMany(service => service.Value.Items("ports")), port => Assert.StartsWith("127.0.0.1:", port.ToString(), StringComparison.Ordinal));
}
