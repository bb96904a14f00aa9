using ImageCluster.Testing.Qemu;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Conformance;

/// <summary>Files that cannot be written: on a read-only file system, immutable, open for appending only. Each command says what qemu-img says, and changes nothing.</summary>
public sealed class WriteProtectedTests : IDisposable
{
    private static readonly string[] Lines =
    [
        "amend -o compat=0.10 x.qcow2", "bitmap --add x.qcow2 b", "bench -w -c 1 -f qcow2 x.qcow2", "check -r all x.qcow2", "commit top.qcow2", "convert -O qcow2 y.raw x.qcow2", "convert -n -O qcow2 y.raw x.qcow2", "create -f qcow2 x.qcow2 1M",
        "create -f vmdk v.vmdk 1M", "dd -O qcow2 if=y.raw of=x.qcow2", "rebase -u -b y.raw -F raw top.qcow2", "resize x.qcow2 2M", "resize -f raw y.raw 2M", "resize d.qcow2 2M", "snapshot -c a x.qcow2", "info x.qcow2", "check x.qcow2", "map x.qcow2",
    ];

    // Makes a file, or finds that it cannot.
    private static readonly string[] OnNewFiles = ["convert -O raw y.raw new", "create -f qcow2 new 1M", "create -f qcow2 -o data_file=d.data new 1M", "dd if=y.raw of=new bs=64k"];

    private readonly TempDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [SkippableFact]
    public void OnAReadOnlyFileSystem()
    {
        Make();
        string path = _directory["in"];
        Skip.IfNot(Succeeds("mount", "--bind", path, path), "mounting needs root");
        try
        {
            Skip.IfNot(Succeeds("mount", "-o", "remount,ro,bind", path), "remounting does not work here");
            Compare([.. Lines, .. OnNewFiles]);
        }
        finally
        {
            Succeeds("umount", "-l", path);
        }
    }

    [SkippableTheory]
    [InlineData("i")]
    [InlineData("a")]
    public void WhereAnAttributeForbidsIt(string attribute)
    {
        Skip.IfNot(File.Exists("/usr/bin/chattr"), "chattr (Debian: e2fsprogs) is not installed");
        Make();
        string[] files = Directory.GetFiles(_directory["in"]);
        try
        {
            Skip.IfNot(Succeeds("chattr", ["+" + attribute, .. files]), "attributes of files need root, and a file system that has them");
            Compare(Lines);
        }
        finally
        {
            Succeeds("chattr", ["-" + attribute, .. files]);
        }
    }

    private void Compare(IEnumerable<string> lines)
    {
        foreach (string line in lines)
        {
            string[] arguments = CommandLineText.Split(line);
            ToolResult theirs = Programs.Execute(_directory["in"], Programs.QemuImg, arguments);
            ToolResult ours = Programs.RunOurs(_directory["in"], arguments);
            Assert.True(theirs == ours, $"{line}\n{LineDifference.Of($"{theirs.Output}{theirs.Error}{theirs.ExitCode}", $"{ours.Output}{ours.Error}{ours.ExitCode}")}");
        }
    }

    private bool Succeeds(string program, params string[] arguments) =>
        Environment.UserName == "root" && OperatingSystem.IsLinux() && Programs.Execute(_directory.Path, program, arguments).ExitCode == 0;

    private void Make()
    {
        QemuTools.Require();
        string directory = _directory["in"];
        Directory.CreateDirectory(directory);
        foreach (string line in new[]
        {
            "create -q -f raw y.raw 1M", "create -q -f qcow2 x.qcow2 1M", "create -q -f qcow2 -b x.qcow2 -F qcow2 top.qcow2", "create -q -f vmdk v.vmdk 1M", "create -q -f qcow2 -o data_file=d.data d.qcow2 1M",
        })
        {
            ToolResult made = Programs.Execute(directory, Programs.QemuImg, line.Split(' '));
            Assert.True(made.ExitCode == 0, $"{line}: {made.Error}");
        }
    }
}
