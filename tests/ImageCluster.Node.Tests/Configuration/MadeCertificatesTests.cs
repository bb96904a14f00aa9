using System.Collections;
using System.Diagnostics;
using System.Runtime.CompilerServices;
using ImageCluster.Node.Configuration;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Node.Tests.Configuration;

/// <summary>What deploy/make-certificates makes is what a node takes.</summary>
public sealed class MadeCertificatesTests
{
    [SkippableFact]
    public void A_node_takes_what_the_script_made()
    {
        using var directory = new TempDirectory();
        string script = Path.GetFullPath("../../../deploy/make-certificates", Path.GetDirectoryName(ThisFile())!);
        using Process process = Process.Start(new ProcessStartInfo("bash", [script, directory.Path, "node1.example.org"]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        string said = process.StandardOutput.ReadToEnd() + process.StandardError.ReadToEnd();
        process.WaitForExit();
        Skip.If(process.ExitCode == 127, "openssl is not installed");
        Assert.True(process.ExitCode == 0, said);
        string node = directory["node1.example.org.p12"];
        NodeOptions options = NodeOptionsReader.Read(
            ["--roles", "coordinator", "--cluster.tls.certificate", node, "--cluster.tls.passwordFile", $"{node}.password", "--cluster.tls.authority", directory["authority.pem"]],
            new Hashtable(), directory.Path);
        Assert.Equal(directory["authority.pem"], options.ClusterTls!.AuthorityPath);
    }

    private static string ThisFile([CallerFilePath] string path = "") => path;
}
