using System.Text.RegularExpressions;
using ImageCluster.Testing.Qemu;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Conformance;

/// <summary>
/// A quota that is used up (EDQUOT): the words and exit code are qemu-img's. The quota is a Btrfs subvolume's, which root has to keep to as well; there also what is
/// overwritten takes new room, so that qemu-img goes on to complain of what it cannot store when it closes the image.
/// </summary>
public sealed partial class QuotaTests : IDisposable
{
    private readonly TempDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [SkippableTheory]
    [InlineData("convert -O raw {far}/big.raw out")]
    [InlineData("convert -O qcow2 {far}/big.raw out")]
    [InlineData("convert -O vdi {far}/big.raw out")]
    [InlineData("convert -n -O qcow2 {far}/big.raw x.qcow2")]
    [InlineData("convert -n -c -O qcow2 {far}/big.raw x.qcow2")]
    [InlineData("dd if={far}/big.raw of=out bs=1M")]
    [InlineData("create -f raw -o preallocation=full out 8M")]
    [InlineData("create -f raw -o preallocation=falloc out 8M")]
    [InlineData("create -f qcow2 -o preallocation=falloc out 8M")]
    [InlineData("resize --preallocation=full x.qcow2 12M")]
    [InlineData("resize --preallocation=falloc x.qcow2 12M")]
    [InlineData("resize -f raw --preallocation=full r.raw 8M")]
    [InlineData("bench -w -c 100 -s 64k --pattern=3 x.qcow2")]
    [InlineData("commit over.qcow2")]
    public void AQuotaThatIsUsedUp(string line)
    {
        QemuTools.Require();
        string far = _directory["far"];
        Directory.CreateDirectory(far);
        Programs.Execute(far, "dd", "if=/dev/urandom", "of=big.raw", "bs=1M", "count=8");
        ToolResult theirs = Run(Programs.QemuImg, line, far);
        ToolResult ours = Run(Programs.OwnBinary, line, far);
        Assert.NotEqual(0, theirs.ExitCode);
        Assert.Contains("Disk quota exceeded", theirs.Error, StringComparison.Ordinal);
        Assert.Equal(theirs.ExitCode, ours.ExitCode);
        Assert.Equal(Place().Replace(Further().Replace(theirs.Error, ""), "N"), Place().Replace(ours.Error, "N"));
    }

    private ToolResult Run(string program, string line, string far)
    {
        string image = _directory["btrfs.img"];
        string mount = _directory["mount"];
        string disk = Path.Combine(mount, "disk");
        Directory.CreateDirectory(mount);
        Skip.IfNot(Environment.UserName == "root" && OperatingSystem.IsLinux() && File.Exists("/usr/sbin/mkfs.btrfs") && File.Exists("/usr/bin/btrfs"), "a quota needs root and Btrfs (Debian: btrfs-progs)");
        Programs.Execute(_directory.Path, "truncate", "-s", "0", image);
        Programs.Execute(_directory.Path, "truncate", "-s", "160M", image);
        Skip.IfNot(Succeeds("/usr/sbin/mkfs.btrfs", "-q", "-M", image) && Succeeds("mount", "-o", "loop", image, mount), "a Btrfs cannot be made and mounted here");
        try
        {
            Skip.IfNot(
                Succeeds("/usr/bin/btrfs", "quota", "enable", mount) && Succeeds("/usr/bin/btrfs", "subvolume", "create", disk) && Succeeds("/usr/bin/btrfs", "qgroup", "limit", "4M", disk),
                "Btrfs has no quotas here");
            Make(disk);
            return Programs.Execute(disk, program, CommandLineText.Split(line.Replace("{far}", far, StringComparison.Ordinal)));
        }
        finally
        {
            Succeeds("umount", "-l", mount);
        }
    }

    private bool Succeeds(string program, params string[] arguments) => Programs.Execute(_directory.Path, program, arguments).ExitCode == 0;

    private static void Make(string disk)
    {
        foreach (string line in new[] { "create -q -f qcow2 x.qcow2 8M", "create -q -f raw r.raw 64k", "create -q -f qcow2 base.qcow2 4M", "create -q -f qcow2 -b base.qcow2 -F qcow2 over.qcow2" })
        {
            ToolResult made = Programs.Execute(disk, Programs.QemuImg, line.Split(' '));
            Assert.True(made.ExitCode == 0, made.Error);
        }

        QemuTools.Io(Path.Combine(disk, "base.qcow2"), "qcow2", "write -P 1 0 768k");
        QemuTools.Io(Path.Combine(disk, "over.qcow2"), "qcow2", "write -P 2 1M 2M");
        Programs.Execute(disk, "sync", "-f", ".");
    }

    [GeneratedRegex(@"(?<=at byte )\d+")]
    private static partial Regex Place();

    [GeneratedRegex(@"qemu-img: Failed to (restore old file length|flush the (L2 table|refcount block) cache): Disk quota exceeded\n")]
    private static partial Regex Further();
}
