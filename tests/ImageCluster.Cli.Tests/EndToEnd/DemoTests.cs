using ImageCluster.Cli.Demonstrating;
using ImageCluster.Cli.Tests.Support;
using ImageCluster.Testing.Qemu;

namespace ImageCluster.Cli.Tests.EndToEnd;

public sealed class DemoTests : IDisposable
{
    private readonly Lab _lab = new();

    public void Dispose() => _lab.Dispose();

    [SkippableFact]
    public void TheDemosImagesAreGoodAndItsFileSystemsClean()
    {
        QemuTools.Require();
        CliRun run = _lab.Run("demo", "d").Expect(0);
        Assert.Contains("4 of 4 images done (4 verified)", run.Output, StringComparison.Ordinal);
        Assert.Contains("What to try next:", run.Output, StringComparison.Ordinal);
        foreach (string source in new[] { "server.raw", "server-today.qcow2", "archive.qcow2", "appliance.vmdk" })
        {
            string target = _lab[$"d/migrated/{Path.ChangeExtension(source, "qcow2")}"];
            QemuTools.Img("check", target);
            QemuTools.Img("compare", _lab[$"d/disks/{source}"], target);
            if (FileSystemTools.Locate("e2fsck") is { } e2fsck && FileSystemTools.Find() is not null)
            {
                string raw = _lab["check.raw"];
                QemuTools.Img("convert", "-O", "raw", target, raw);
                using var process = System.Diagnostics.Process.Start(new System.Diagnostics.ProcessStartInfo(e2fsck, ["-fn", raw]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
                string text = process.StandardOutput.ReadToEnd() + process.StandardError.ReadToEnd();
                process.WaitForExit();
                Assert.True(process.ExitCode == 0, text);
            }
        }

        // Again: an earlier demo is made anew, somebody else's directory is not touched.
        Directory.CreateDirectory(_lab["mine"]);
        File.WriteAllText(_lab["mine/letter.txt"], "dear");
        CliRun refused = _lab.Run("demo", "mine").Expect(ExitCode.Refused);
        Assert.Contains("not an earlier demo", refused.Error, StringComparison.Ordinal);
        Assert.True(File.Exists(_lab["mine/letter.txt"]));
    }
}
