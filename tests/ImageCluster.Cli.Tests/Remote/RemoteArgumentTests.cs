using ImageCluster.Cli.Remote;
using ImageCluster.Cli.Tests.Support;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Cli.Tests.Remote;

/// <summary>What needs no cluster; the rest is tested against a node's HTTP API in ImageCluster.Node.Tests.</summary>
public sealed class RemoteArgumentTests : IDisposable
{
    private readonly TempDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Theory]
    [InlineData("status --cluster ftp://x", 2, "'ftp://x' is not the URL of a cluster. It looks like http://node1:8080.")]
    [InlineData("status --cluster http://127.0.0.1:1 --output xml", 2, "--output 'xml' is not known. Use text or json.")]
    [InlineData("watch m --cluster http://127.0.0.1:1 --output xml", 2, "--output 'xml' is not known. Use auto, plain, json-lines or json.")]
    [InlineData("workers --cluster http://127.0.0.1:1 --token-file none", 2, "none: Could not find file")]
    [InlineData("workers --cluster http://127.0.0.1:1 --token-file empty", 2, "empty: there is no token in it")]
    [InlineData("workers --cluster http://127.0.0.1:1", 5, "http://127.0.0.1:1 cannot be reached: ")]
    [InlineData("submit none.yaml --cluster http://127.0.0.1:1", 2, "none.yaml: there is no such manifest")]
    [InlineData("submit . --cluster http://127.0.0.1:1", 2, ".: a directory, not a manifest")]
    [InlineData("submit bad.yaml --cluster http://127.0.0.1:1", 2, "bad.yaml:1:1: ")]
    [InlineData("pause --cluster http://127.0.0.1:1", 2, "Required argument missing for command: 'pause'.")]
    [InlineData("operator image release --cluster http://127.0.0.1:1 -n k:a -t 4", 2, "Option '--reason' is required.")]
    [InlineData("operator image --cluster http://127.0.0.1:1", 2, "")]
    public void What_is_wrong_is_one_line_and_a_code(string line, int exitCode, string message)
    {
        File.WriteAllText(_directory["empty"], "\n");
        File.WriteAllText(_directory["bad.yaml"], "nam: x\n");
        CliRun run = CliRun.Of(_directory.Path, line.Split(' '));
        Assert.True(run.ExitCode == exitCode, $"{run.ExitCode}\n{run.Error}");
        Assert.StartsWith($"imagecluster: {message}", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void The_node_is_looked_for_beside_this_program_and_where_it_is_said_to_be()
    {
        Directory.CreateDirectory(_directory["app"]);
        Directory.CreateDirectory(_directory["node"]);
        Assert.Null(NodeProgram.Find(_directory["app"], _ => null));
        File.WriteAllText(_directory["node/imagecluster-node.dll"], "");
        Assert.Equal(_directory["node/imagecluster-node.dll"], NodeProgram.Find(_directory["app"], _ => null)!.Path);
        Assert.Null(NodeProgram.Find(_directory["app"], _ => _directory["elsewhere"]));
        Assert.Equal(["/x", "--roles", "worker"], new NodeProgram("/x").CommandLine(["--roles", "worker"]).Arguments);
    }

    [Theory]
    [InlineData("submit", "--watch", "IMAGECLUSTER_URL")]
    [InlineData("status", "--images", "Exit codes")]
    [InlineData("operator job submit", "--source-format", "--cluster")]
    public void Each_command_has_help(string command, params string[] words)
    {
        CliRun run = CliRun.Of(_directory.Path, [.. command.Split(' '), "--help"]);
        Assert.Equal(0, run.ExitCode);
        Assert.All(words, word => Assert.Contains(word, run.Output, StringComparison.Ordinal));
    }
}
