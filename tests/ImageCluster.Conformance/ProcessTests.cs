using System.Diagnostics;
using ImageCluster.Testing.Qemu;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Conformance;

/// <summary>What only shows when ours runs as a process of its own.</summary>
public sealed class ProcessTests
{
    [Theory]
    [InlineData("qemu-img")]
    [InlineData("some-link")]
    public void MessagesStartWithTheNameThatItIsCalledBy(string name)
    {
        using TempDirectory directory = new();
        File.CreateSymbolicLink(directory[name], Programs.OwnBinary);
        ToolResult result = Programs.Execute(directory.Path, directory[name], "info", "nix");
        Assert.Equal(1, result.ExitCode);
        Assert.Equal($"{name}: Could not open 'nix': Could not open 'nix': No such file or directory\n", result.Error);
        Assert.Equal("", result.Output);
    }

    [SkippableFact]
    public void AnImageThatQemuWritesIsRefusedAsQemuImgRefusesIt()
    {
        QemuTools.Require();
        using TempDirectory directory = new();
        Programs.Execute(directory.Path, Programs.QemuImg, "create", "-q", "-f", "qcow2", "x", "1M");

        // qemu-io holds the image open for writing until its input ends; its prompt says that it has it.
        ProcessStartInfo start = new("qemu-io", ["-f", "qcow2", "x"]) { WorkingDirectory = directory.Path, RedirectStandardInput = true, RedirectStandardOutput = true };
        using Process holder = Process.Start(start)!;
        Assert.Equal('q', (char)holder.StandardOutput.Read());
        ToolResult theirs = Programs.Execute(directory.Path, Programs.QemuImg, "info", "x");
        ToolResult ours = Programs.Execute(directory.Path, Programs.OwnBinary, "info", "x");
        ToolResult shared = Programs.Execute(directory.Path, Programs.OwnBinary, "info", "-U", "x");
        holder.StandardInput.Close();
        holder.WaitForExit();
        Assert.Equal("qemu-img: Could not open 'x': Failed to get shared \"write\" lock\nIs another process using the image [x]?\n", ours.Error);
        Assert.Equal(theirs, ours);
        Assert.Equal(0, shared.ExitCode);
    }

    [SkippableTheory]
    [InlineData("-r")]
    [InlineData("-r", "-U")]
    public void KeysChangeOnlyWhereNobodyElseReads(params string[] arguments)
    {
        QemuTools.Require();
        using TempDirectory directory = new();
        Programs.Execute(directory.Path, Programs.QemuImg, "create", "-q", "--object", "secret,id=s,data=abc", "-f", "luks", "-o", "key-secret=s,iter-time=10", "x", "1M");
        string[] amend = ["amend", "--object", "secret,id=s,data=abc", "--object", "secret,id=n,data=def", "--image-opts", "-o", "state=active,new-secret=n,iter-time=10", "driver=luks,key-secret=s,file.filename=x"];
        using QemuHolder holder = QemuHolder.Io(directory["x"], "raw", arguments);
        ToolResult theirs = Programs.Execute(directory.Path, Programs.QemuImg, amend);
        ToolResult ours = Programs.Execute(directory.Path, Programs.OwnBinary, amend);
        Assert.Equal(theirs, ours);
        Assert.NotEqual(0, ours.ExitCode);
    }

    [Fact]
    public void ASignalAsksHowFarTheWorkIs()
    {
        using TempDirectory directory = new();
        File.WriteAllBytes(directory["a.raw"], [.. Enumerable.Repeat((byte)1, 8 << 20)]);
        ProcessStartInfo start = new(Programs.OwnBinary, ["convert", "-r", "2M", "a.raw", "b.raw"]) { WorkingDirectory = directory.Path, RedirectStandardError = true, RedirectStandardOutput = true };
        using Process process = Process.Start(start)!;

        // Not before it writes: until then the signal would end it.
        Assert.True(SpinWait.SpinUntil(() => File.Exists(directory["b.raw"]) && new FileInfo(directory["b.raw"]).Length > 0, TimeSpan.FromSeconds(60)));
        Programs.Execute(directory.Path, "/bin/kill", "-USR1", process.Id.ToString());
        string errors = process.StandardError.ReadToEnd();
        process.WaitForExit();
        Assert.Equal(0, process.ExitCode);
        Assert.Matches(@"^    \(\d+\.\d\d/100%\)\n$", errors);
        Assert.Equal("", process.StandardOutput.ReadToEnd());
    }

    [SkippableFact]
    public void TheOldSpellingOfASnapshotIsTakenAndTheNewOneNamed()
    {
        QemuTools.Require();
        using TempDirectory directory = new();
        Programs.Execute(directory.Path, Programs.QemuImg, "create", "-q", "-f", "qcow2", "x", "1M");
        Programs.Execute(directory.Path, Programs.QemuImg, "snapshot", "-c", "one", "x");
        ToolResult result = Programs.Execute(directory.Path, Programs.OwnBinary, "convert", "-s", "one", "x", "y");
        Assert.Equal("qemu-img: warning: convert -s is an old spelling; use -l SNAPSHOT\n", result.Error);
        Assert.Equal(0, result.ExitCode);
        Assert.Equal(0, Programs.Execute(directory.Path, Programs.QemuImg, "compare", "-F", "raw", "x", "y").ExitCode);
    }
}
