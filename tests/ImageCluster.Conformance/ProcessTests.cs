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

    /// <summary>Programs look there for what they may use.</summary>
    [SkippableFact]
    public void HelpListsEveryDriverOfQemusThatIsHere()
    {
        QemuTools.Require();
        using TempDirectory directory = new();
        string[] theirs = Listed(Programs.QemuImg);
        string[] ours = Listed(Programs.OwnBinary);
        foreach (string driver in theirs)
        {
            string refusal = Programs.Execute(directory.Path, Programs.OwnBinary, "info", "--image-opts", $"driver={driver}").Error;
            Assert.Equal(!refusal.Contains($"Driver '{driver}' is not supported", StringComparison.Ordinal), ours.Contains(driver));
        }

        string[] Listed(string program) => Programs.Execute(directory.Path, program, "--help").Output.Split('\n')
            .Single(static line => line.StartsWith("Supported formats: ", StringComparison.Ordinal)).Split(' ')[2..];
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

        // Before it works there is nothing to tell.
        Assert.True(SpinWait.SpinUntil(() => File.Exists(directory["b.raw"]) && new FileInfo(directory["b.raw"]).Length > 0, TimeSpan.FromSeconds(60)));
        Programs.Execute(directory.Path, "/bin/kill", "-USR1", process.Id.ToString());
        string errors = process.StandardError.ReadToEnd();
        process.WaitForExit();
        Assert.Equal(0, process.ExitCode);
        Assert.Matches(@"^    \(\d+\.\d\d/100%\)\n$", errors);
        Assert.Equal("", process.StandardOutput.ReadToEnd());
    }

    /// <summary>What ends a qemu-img ends ours in the same way and without a word; what does not, does not.</summary>
    [SkippableTheory]
    [InlineData("TERM", true)]
    [InlineData("INT", true)]
    [InlineData("HUP", true)]
    [InlineData("QUIT", true)]
    [InlineData("USR2", true)]
    [InlineData("USR1", false)]
    [InlineData("ALRM", false)]
    [InlineData("IO", false)]
    [InlineData("PIPE", false)]
    public void ASignalEndsItAsItEndsQemuImg(string signal, bool ends)
    {
        QemuTools.Require();
        using TempDirectory directory = new();
        Programs.Execute(directory.Path, Programs.QemuImg, "create", "-q", "-f", "qcow2", "x", "64M");
        List<string> ended = [];
        foreach (string program in new[] { Programs.QemuImg, Programs.OwnBinary })
        {
            ProcessStartInfo start = new(program, ["bench", "-w", "-c", "1000000000", "-s", "4k", "-f", "qcow2", "x"]) { WorkingDirectory = directory.Path, RedirectStandardError = true, RedirectStandardOutput = true };
            using Process process = Process.Start(start)!;

            // It writes: all that comes before is done.
            Assert.True(SpinWait.SpinUntil(() => new FileInfo(directory["x"]).Length > 1 << 20 || process.HasExited, TimeSpan.FromSeconds(60)));
            Programs.Execute(directory.Path, "/bin/kill", $"-{signal}", process.Id.ToString());
            if (!ends)
            {
                // Signals are taken in the order in which they come only as far as each has been heard: this one is heard after the other was.
                Assert.True(SpinWait.SpinUntil(() => !IsPending(process.Id), TimeSpan.FromSeconds(60)), "the signal is not heard");
                Programs.Execute(directory.Path, "/bin/kill", "-TERM", process.Id.ToString());
            }

            Assert.True(process.WaitForExit(TimeSpan.FromSeconds(60)), $"SIG{signal} does not end {program}");
            ended.Add($"{process.ExitCode} {process.StandardOutput.ReadToEnd().Length > 0} {process.StandardError.ReadToEnd()}");
            Assert.Equal(0, Programs.Execute(directory.Path, Programs.QemuImg, "check", "-r", "all", "x").ExitCode);
            Programs.Execute(directory.Path, Programs.QemuImg, "create", "-q", "-f", "qcow2", "x", "64M");
        }

        Assert.Equal(ended[0], ended[1]);

        // A signal that waits for a process of which it is neither blocked nor ignored; QEMU blocks some for good.
        static bool IsPending(int id)
        {
            string[] status = File.ReadAllLines($"/proc/{id}/status");
            ulong Mask(string name) => Convert.ToUInt64(status.First(line => line.StartsWith(name, StringComparison.Ordinal)).Split('\t')[1], 16);
            return (Mask("ShdPnd") & ~Mask("SigBlk")) != 0;
        }
    }

    [SkippableTheory]
    [InlineData("info x", 0)]
    [InlineData("bench -c 1 -f qcow2 x", 0)]
    [InlineData("convert -p -O raw x y", 0)]
    [InlineData("info nix", 1)]
    public void WhatCannotBeSaidChangesNoExitCode(string line, int exitCode)
    {
        QemuTools.Require();
        using TempDirectory directory = new();
        Programs.Execute(directory.Path, Programs.QemuImg, "create", "-q", "-f", "qcow2", "x", "1M");
        foreach (string program in new[] { Programs.QemuImg, Programs.OwnBinary })
        {
            Assert.Equal(exitCode, Programs.Execute(directory.Path, "/bin/sh", "-c", $"exec {program} {line} >/dev/full 2>/dev/full").ExitCode);
        }
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
