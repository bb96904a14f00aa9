using System.Diagnostics;
using System.Globalization;
using ImageCluster.Testing;
using ImageCluster.Testing.Qemu;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Conformance;

/// <summary>
/// A signal at any instant of a command that changes an image: qemu-img's <c>check -r all</c> makes it sound again, and no byte of the guest's is
/// lost. How often each command is interrupted CONFORMANCE_KILLS says.
/// </summary>
public sealed class KillTests : IDisposable
{
    private const int UsualKills = 1;
    private const int Sector = 512;

    private static readonly string[] Signals = ["KILL", "TERM", "INT"];

    private readonly TempDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    /// <summary>Commands after which the guest of top.qcow2 sees what it saw before.</summary>
    [SkippableTheory]
    [InlineData("commit top.qcow2")]
    [InlineData("commit -d top.qcow2")]
    [InlineData("rebase -b '' top.qcow2")]
    [InlineData("rebase -b other.qcow2 -F qcow2 top.qcow2")]
    [InlineData("rebase -u -b base.qcow2 -F qcow2 top.qcow2")]
    [InlineData("amend -o refcount_bits=64 top.qcow2")]
    [InlineData("amend -o refcount_bits=1 top.qcow2")]
    [InlineData("amend -o compat=0.10 top.qcow2")]
    [InlineData("amend -o lazy_refcounts=on top.qcow2")]
    [InlineData("snapshot -c new top.qcow2")]
    [InlineData("resize top.qcow2 +64M")]
    [InlineData("resize --preallocation=metadata top.qcow2 +16M")]
    [InlineData("bitmap --add -g 512 top.qcow2 new")]
    [InlineData("check -r all leaks.qcow2", "leaks.qcow2")]
    [InlineData("snapshot -d one snap.qcow2", "snap.qcow2")]
    [InlineData("bitmap --merge marks --clear marks.qcow2 marks", "marks.qcow2")]
    public void WhatTheGuestSeesStays(string line, string image = "top.qcow2") => Interrupt(line, image, static (before, after, _) =>
        Assert.True(after.Length >= before.Length && after.AsSpan(0, before.Length).SequenceEqual(before), "the guest's bytes are other ones"));

    /// <summary>Commands that write: each sector has its old bytes or its new ones.</summary>
    [SkippableTheory]
    [InlineData("bench -w -c 4000 -s 4k -S 12k --pattern=7 top.qcow2")]
    [InlineData("bench -w -c 2000 -s 1k -S 5k -t none --flush-interval=100 -d 8 --pattern=7 top.qcow2")]
    [InlineData("convert -n -O qcow2 other.qcow2 top.qcow2")]
    [InlineData("convert -n -c -O qcow2 other.qcow2 top.qcow2")]
    [InlineData("snapshot -a one snap.qcow2", "snap.qcow2")]
    public void EachSectorIsAsItWasOrAsItWillBe(string line, string image = "top.qcow2") => Interrupt(line, image, static (before, after, done) =>
    {
        for (int at = 0; at < before.Length; at += Sector)
        {
            ReadOnlySpan<byte> found = after.AsSpan(at, Sector);
            Assert.True(found.SequenceEqual(before.AsSpan(at, Sector)) || found.SequenceEqual(done.AsSpan(at, Sector)), $"the sector at {at} is neither");
        }
    });

    private void Interrupt(string line, string image, Action<byte[], byte[], byte[]> judge)
    {
        QemuTools.Require();
        string inputs = _directory["inputs"];
        Make(inputs);
        string[] arguments = CommandLineText.Split(line);
        byte[] before = Content(inputs, image);
        string whole = Copy(inputs, "whole");
        long started = Stopwatch.GetTimestamp();
        ToolResult undisturbed = Programs.Execute(whole, Programs.OwnBinary, arguments);
        TimeSpan duration = Stopwatch.GetElapsedTime(started);
        Assert.True(undisturbed.ExitCode == 0, undisturbed.Error);
        byte[] done = Content(whole, image);
        int count = int.TryParse(Environment.GetEnvironmentVariable("CONFORMANCE_KILLS"), CultureInfo.InvariantCulture, out int asked) ? asked : UsualKills;
        Random random = new(TestSeed.Value);
        for (int i = 0; i < count; i++)
        {
            string signal = Signals[random.Next(Signals.Length)];

            // Most of a short command is the start of the process.
            TimeSpan delay = duration * (0.2 + (random.NextDouble() * 0.8));
            string directory = Copy(inputs, $"run-{i}");
            string outcome = Run(directory, arguments, signal, delay);
            try
            {
                foreach (string file in Directory.GetFiles(directory, "*.qcow2").Select(static path => Path.GetFileName(path)))
                {
                    ToolResult repaired = QemuIn(directory, "check", "-r", "all", file);
                    Assert.True(repaired.ExitCode == 0, $"check -r all {file}: {repaired.ExitCode} {repaired.Output}{repaired.Error}");
                    ToolResult check = QemuIn(directory, "check", file);
                    Assert.True(check.ExitCode == 0, $"check {file}: {check.Output}{check.Error}");
                }

                judge(before, Content(directory, image), done);
            }
            catch (Exception e)
            {
                throw new InvalidOperationException($"seed {TestSeed.Value}, {i}: SIG{signal} after {delay.TotalMilliseconds:0} ms of {duration.TotalMilliseconds:0} ({outcome}): {e.Message}", e);
            }

            Directory.Delete(directory, recursive: true);
        }
    }

    private static string Run(string directory, string[] arguments, string signal, TimeSpan delay)
    {
        ProcessStartInfo start = new(Programs.OwnBinary, arguments) { WorkingDirectory = directory, RedirectStandardOutput = true, RedirectStandardError = true };
        using Process process = Process.Start(start)!;
        bool ended = process.WaitForExit(delay);
        if (!ended)
        {
            Programs.Execute(directory, "/bin/kill", $"-{signal}", process.Id.ToString(CultureInfo.InvariantCulture));
        }

        Assert.True(process.WaitForExit(TimeSpan.FromSeconds(60)), $"the process does not end by SIG{signal}");
        return ended ? "it had ended" : $"exit code {process.ExitCode}";
    }

    private static void Make(string directory)
    {
        Directory.CreateDirectory(directory);
        QemuIn(directory, "create", "-q", "-f", "qcow2", "-o", "cluster_size=4k", "base.qcow2", "24M");
        QemuIn(directory, "create", "-q", "-f", "qcow2", "-o", "cluster_size=64k", "other.qcow2", "24M");
        Write(directory, "base.qcow2", 11);
        Write(directory, "other.qcow2", 12);
        QemuIn(directory, "create", "-q", "-f", "qcow2", "-o", "cluster_size=1k", "-b", "base.qcow2", "-F", "qcow2", "top.qcow2");
        Write(directory, "top.qcow2", 13);
        File.Copy(Path.Combine(directory, "other.qcow2"), Path.Combine(directory, "snap.qcow2"));
        QemuIn(directory, "snapshot", "-c", "one", "snap.qcow2");
        Write(directory, "snap.qcow2", 14);
        File.Copy(Path.Combine(directory, "other.qcow2"), Path.Combine(directory, "marks.qcow2"));
        QemuIn(directory, "bitmap", "--add", "-g", "512", "marks.qcow2", "marks");
        Write(directory, "marks.qcow2", 15);

        // The refcounts of some clusters are one too many: leaks.
        File.Copy(Path.Combine(directory, "other.qcow2"), Path.Combine(directory, "leaks.qcow2"));
        QemuTools.Io(Path.Combine(directory, "leaks.qcow2"), "raw", "write -P 1 132000 64");
    }

    private static void Write(string directory, string image, int seed)
    {
        Random random = new(seed);
        string[] writes = [.. Enumerable.Range(0, 24).Select(_ => string.Create(CultureInfo.InvariantCulture, $"write -P {random.Next(1, 250)} {random.Next(45_000) * Sector} {random.Next(1, 1200) * Sector}"))];
        QemuTools.Io(Path.Combine(directory, image), "qcow2", writes);
    }

    private string Copy(string from, string name)
    {
        Programs.Execute(_directory.Path, "cp", "-a", from, _directory[name]);
        return _directory[name];
    }

    private static byte[] Content(string directory, string image)
    {
        string flat = Path.Combine(directory, "flat.raw");
        ToolResult result = QemuIn(directory, "convert", "-O", "raw", image, "flat.raw");
        Assert.True(result.ExitCode == 0, result.Error);
        byte[] bytes = File.ReadAllBytes(flat);
        File.Delete(flat);
        return bytes;
    }

    private static ToolResult QemuIn(string directory, params string[] arguments) => Programs.Execute(directory, Programs.QemuImg, arguments);
}
