using YamlDotNet.RepresentationModel;

namespace ImageCluster.Deployment.Tests;

/// <summary>What a folder of k8s/ renders to.</summary>
internal sealed class Kustomization
{
    private static readonly Dictionary<string, Kustomization> Rendered = [];

    private Kustomization(List<YamlNode> objects) => Objects = objects;

    public IReadOnlyList<YamlNode> Objects { get; }

    public IEnumerable<YamlNode> OfKind(params string[] kinds) => Objects.Where(o => kinds.Contains(o.Text("kind")));

    public IEnumerable<YamlNode> Workloads => OfKind("StatefulSet", "Deployment");

    public YamlNode Coordinators => Assert.Single(OfKind("StatefulSet"));

    public YamlNode Workers => Assert.Single(OfKind("Deployment"));

    /// <summary>The nodes' settings by variable, from the map that the workloads take them from.</summary>
    public IReadOnlyDictionary<string, string> Settings =>
        Assert.Single(OfKind("ConfigMap")).Entries("data").ToDictionary(entry => entry.Key, entry => ((YamlScalarNode)entry.Value).Value ?? "");

    public static Kustomization Render(string folder)
    {
        lock (Rendered)
        {
            if (!Rendered.TryGetValue(folder, out Kustomization? known))
            {
                (int exitCode, string output, string errors) = Repository.Run("kubectl", "kustomize", folder) ?? Repository.Run("kustomize", "build", folder) ?? (-1, "", "");
                Skip.If(exitCode == -1, "neither kubectl nor kustomize is installed");
                Assert.True(exitCode == 0, $"{folder}: {errors}");
                Rendered[folder] = known = new Kustomization(YamlText.Documents(output));
            }

            return known;
        }
    }

    /// <summary>The base with components, as an overlay would have it.</summary>
    public static Kustomization RenderWith(params string[] components)
    {
        // Kustomize takes only relative names, so it must lie in the tree.
        string folder = $"k8s/overlays/.test-{Guid.NewGuid():N}";
        Directory.CreateDirectory(Repository.PathOf(folder));
        try
        {
            File.WriteAllText(
                Repository.PathOf($"{folder}/kustomization.yaml"),
                $"""
                apiVersion: kustomize.config.k8s.io/v1beta1
                kind: Kustomization
                resources: [../../base]
                components: [{string.Join(", ", components.Select(name => $"../../components/{name}"))}]
                """);
            return Render(folder);
        }
        finally
        {
            Directory.Delete(Repository.PathOf(folder), recursive: true);
        }
    }
}
