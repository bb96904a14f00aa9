using System.Text.RegularExpressions;

namespace ImageCluster.Deployment.Tests;

/// <summary>The images are built in stages, run as nobody in particular, and copy what is there.</summary>
public partial class DockerTests
{
    [Theory]
    [InlineData("docker/node.Dockerfile")]
    [InlineData("docker/qemu-img.Dockerfile")]
    public void AnImageIsSmallAndItsUserIsNotRoot(string file)
    {
        string[] lines = Instructions(file);
        string[] stages = [.. lines.Where(line => line.StartsWith("FROM ", StringComparison.Ordinal))];
        Assert.True(stages.Length > 1, "one stage: the compiler would be in the image");
        Assert.All(stages, stage => Assert.Matches(@":\d+\.\d+", stage));
        Assert.Contains("-chiseled", stages[^1], StringComparison.Ordinal);
        string user = Assert.Single(lines, line => line.StartsWith("USER ", StringComparison.Ordinal));
        Assert.DoesNotMatch(@"\b(root|0)\b", user);
        // Without a shell only the exec form works.
        Assert.Contains(lines, line => line.StartsWith("HEALTHCHECK ", StringComparison.Ordinal) && line.Contains("CMD [", StringComparison.Ordinal));
        Assert.Contains(lines, line => line.StartsWith("ENTRYPOINT [", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("docker/node.Dockerfile")]
    [InlineData("docker/qemu-img.Dockerfile")]
    public void WhatIsCopiedAndPublishedIsThere(string file)
    {
        foreach (string line in Instructions(file).Where(line => line.StartsWith("COPY ", StringComparison.Ordinal) && !line.Contains("--from", StringComparison.Ordinal)))
        {
            // An asterisk: only where it is there.
            Assert.All(line.Split(' ')[1..^1].Where(name => !name.EndsWith('*')), name => Assert.NotEmpty(
                Directory.EnumerateFileSystemEntries(Repository.PathOf(Path.GetDirectoryName(name.TrimEnd('/')) ?? ""), Path.GetFileName(name.TrimEnd('/')))));
        }

        Assert.All(Published().Matches(Repository.Read(file)), match => Assert.True(Directory.Exists(Repository.PathOf(match.Groups[1].Value)), match.Value));
    }

    [Fact]
    public void TheNodesSettingsAreTheNodes() => Assert.All(
        Variables().Matches(Repository.Read("docker/node.Dockerfile") + Repository.Read("docker/README.md")),
        match => Assert.Contains(match.Groups[1].Value, Repository.SettingVariables));

    private static string[] Instructions(string file) =>
        [.. Repository.Read(file).ReplaceLineEndings("\n").Replace("\\\n", " ", StringComparison.Ordinal).Split('\n').Where(line => line.Length > 0 && line[0] != '#')];

    [GeneratedRegex(@"dotnet publish (\S+)")]
    private static partial Regex Published();

    [GeneratedRegex(@"\b(IMAGECLUSTER_[A-Z_]+)=")]
    private static partial Regex Variables();
}
