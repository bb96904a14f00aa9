using ImageCluster.Testing.Qemu;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Conformance;

/// <summary>x-dirty-bitmap: scripts that make backups ask a server with <c>map</c> what has been written since, or what is allocated where.</summary>
public sealed class NbdBitmapTests : IDisposable
{
    private readonly TempDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [SkippableFact]
    public void MapTellsWhatABitmapHasMarked()
    {
        QemuTools.Require();
        foreach (string line in new[] { "create -q -f qcow2 base.qcow2 4M", "create -q -f qcow2 -b base.qcow2 -F qcow2 x.qcow2", "bitmap --add x.qcow2 b0" })
        {
            ToolResult made = Programs.Execute(_directory.Path, Programs.QemuImg, line.Split(' '));
            Assert.True(made.ExitCode == 0, made.Error);
        }

        QemuTools.Io(_directory["base.qcow2"], "qcow2", "write -P 1 0 128k");
        QemuTools.Io(_directory["x.qcow2"], "qcow2", "write -P 2 1M 1M", "write -z 3M 64k");
        Programs.Execute(_directory.Path, Programs.QemuImg, "bitmap", "--disable", "x.qcow2", "b0");
        using QemuHolder server = QemuHolder.Nbd(_directory["x.qcow2"], "qcow2", _directory.Path, "-r", "-A", "-B", "b0");
        foreach (string context in new[] { "qemu:dirty-bitmap:b0", "qemu:allocation-depth", "base:allocation", "qemu:dirty-bitmap:nix" })
        {
            string[] arguments = ["map", "--output=json", "--image-opts", $"driver=nbd,server.type=unix,server.path={_directory["holder.sock"]},x-dirty-bitmap={context}"];
            ToolResult theirs = Programs.Execute(_directory.Path, Programs.QemuImg, arguments);
            ToolResult ours = Programs.RunOurs(_directory.Path, arguments);
            Assert.Equal((theirs.ExitCode, theirs.Output), (ours.ExitCode, ours.Output));

            // qemu-img says no more than that an argument is not valid.
            Assert.EndsWith(context.EndsWith("nix", StringComparison.Ordinal) ? $"requested x-dirty-bitmap {context} not found\n" : theirs.Error, ours.Error, StringComparison.Ordinal);
        }
    }
}
