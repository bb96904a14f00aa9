using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;
using ImageCluster.Testing.Qemu;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Conformance;

/// <summary>Locks between ours and QEMU's programs, both ways: who is refused, and in which words.</summary>
public sealed class LockTests : IDisposable
{
    private const string Refusal = "Is another process using the image [";

    // Each is refused, or takes -U; none changes a file.
    private static readonly string[] WhileAnotherWrites =
    [
        "info x.qcow2", "info -U x.qcow2", "info --backing-chain over.qcow2", "info -U --backing-chain over.qcow2", "map x.qcow2", "map -U --output=json x.qcow2", "check x.qcow2", "check -r all x.qcow2", "check -U x.qcow2",
        "compare x.qcow2 y.raw", "compare -U x.qcow2 y.raw", "compare y.raw x.qcow2", "convert x.qcow2 z.raw", "convert -O qcow2 y.raw x.qcow2", "convert -n -O qcow2 y.raw x.qcow2", "create -f qcow2 x.qcow2 1M", "dd if=x.qcow2 of=z.raw", "dd if=y.raw of=x.qcow2",
        "measure -O raw x.qcow2", "measure -U -O raw x.qcow2", "snapshot -l x.qcow2", "snapshot -U -l x.qcow2", "snapshot -c a x.qcow2", "snapshot -U -c a x.qcow2", "resize x.qcow2 2M", "rebase -u -b '' x.qcow2", "rebase -b x.qcow2 -F qcow2 over.qcow2", "commit over.qcow2",
        "commit x.qcow2", "amend -o compat=0.10 x.qcow2", "bitmap --add x.qcow2 b", "bench -c 1 x.qcow2", "bench -U -c 1 x.qcow2", "bench -w -c 1 x.qcow2", "create -q -f qcow2 -b x.qcow2 -F qcow2 new.qcow2", "create -f raw x.qcow2 1M", "info --image-opts driver=qcow2,file.filename=x.qcow2,force-share=on",
        "info --image-opts driver=qcow2,file.filename=x.qcow2,file.locking=off", "resize --image-opts driver=qcow2,file.filename=x.qcow2,force-share=on 2M", "convert -l one x.qcow2 z.raw",
    ];

    // A reader lets readers in, and no writer.
    private static readonly string[] WhileAnotherReads =
    [
        "info x.qcow2", "map x.qcow2", "check x.qcow2", "check -r all x.qcow2", "convert -n -O qcow2 y.raw x.qcow2", "create -f qcow2 x.qcow2 1M", "snapshot -l x.qcow2", "snapshot -c a x.qcow2", "resize x.qcow2 2M", "rebase -u -b '' x.qcow2", "commit over.qcow2", "amend -o compat=0.10 x.qcow2",
        "bitmap --add x.qcow2 b", "bench -w -c 1 x.qcow2", "compare x.qcow2 y.raw", "measure -O raw x.qcow2",
    ];

    private readonly TempDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [SkippableTheory]
    [InlineData("qemu-io")]
    [InlineData("qemu-nbd")]
    [InlineData("qemu-storage-daemon")]
    public void OursIsRefusedAsTheirsWhileAnotherWrites(string holder)
    {
        Make();
        using (Hold(holder))
        {
            Compare(WhileAnotherWrites);
        }
    }

    [SkippableTheory]
    [InlineData("qemu-io -r")]
    [InlineData("qemu-nbd -r")]
    [InlineData("qemu-io -r -U")]
    public void OursIsRefusedAsTheirsWhileAnotherReads(string holder)
    {
        Make();
        using (Hold(holder))
        {
            Compare(holder.EndsWith("-U", StringComparison.Ordinal) ? ["info x.qcow2", "check -r all x.qcow2", "snapshot -l x.qcow2"] : WhileAnotherReads);
        }
    }

    /// <summary>While ours writes, QEMU's programs are refused in the words that they have for one another.</summary>
    [SkippableTheory]
    [InlineData("convert -q -n -r 16k -O qcow2 y.raw x.qcow2", "x.qcow2")]
    [InlineData("commit -q -r 16k top.qcow2", "top.qcow2")]
    [InlineData("commit -q -r 16k top.qcow2", "base.qcow2")]
    [InlineData("bench -w -c 20000000 -s 4k x.qcow2", "x.qcow2")]
    public void TheirsAreRefusedWhileOursWrites(string line, string image)
    {
        Make();
        List<(int ExitCode, string Error)> refused = [];
        foreach (string program in new[] { Programs.QemuImg, Programs.OwnBinary })
        {
            ProcessStartInfo start = new(program, CommandLineText.Split(line)) { WorkingDirectory = _directory.Path, RedirectStandardOutput = true, RedirectStandardError = true };
            using Process writer = Process.Start(start)!;
            try
            {
                Assert.True(SpinWait.SpinUntil(() => Locks(writer.Id, image), TimeSpan.FromSeconds(60)), "it does not lock the image");
                refused.Add(Told(Reader("check", image)));
                refused.Add(Told(Programs.Execute(_directory.Path, "qemu-io", "-r", "-c", "read 0 512", "-f", "qcow2", image)));
                refused.Add(Told(Programs.Execute(_directory.Path, "qemu-nbd", "-f", "qcow2", "--socket", _directory["s"], "--fork", image)));
                refused.Add(Told(Programs.Execute(_directory.Path, "qemu-storage-daemon", "--blockdev", $"driver=file,filename={image},node-name=f",
                    "--blockdev", "driver=qcow2,file=f,node-name=q", "--nbd-server", $"addr.type=unix,addr.path={_directory["s"]}", "--export", "type=nbd,id=e,node-name=q")));
                Assert.Equal(0, Reader("info", "-U", image).ExitCode);
                Assert.False(writer.HasExited, "the writer had ended");
            }
            finally
            {
                writer.Kill();
                writer.WaitForExit();
            }
        }

        Assert.Equal(refused[..(refused.Count / 2)], refused[(refused.Count / 2)..]);
        Assert.All(refused, static refusal => Assert.Contains(Refusal, refusal.Error));
    }

    // Whoever asks by opening the image would be in the writer's way. 101 is the byte that says who writes.
    private static bool Locks(int process, string image)
    {
        try
        {
            return Directory.GetFiles($"/proc/{process}/fd").Any(fd =>
                File.ResolveLinkTarget(fd, returnFinalTarget: false)?.Name == image && File.ReadAllText($"/proc/{process}/fdinfo/{Path.GetFileName(fd)}").Contains(" 101\n", StringComparison.Ordinal));
        }
        catch (IOException)
        {
            return false;
        }
    }

    private static (int ExitCode, string Error) Told(ToolResult result) => (result.ExitCode, result.Error);

    private ToolResult Reader(params string[] arguments) => Programs.Execute(_directory.Path, Programs.QemuImg, arguments);

    private void Compare(IEnumerable<string> lines)
    {
        foreach (string line in lines)
        {
            string[] arguments = CommandLineText.Split(line);
            ToolResult theirs = Programs.Execute(_directory.Path, Programs.QemuImg, arguments);
            File.Delete(_directory["z.raw"]);
            ToolResult ours = Programs.RunOurs(_directory.Path, arguments);
            File.Delete(_directory["z.raw"]);
            Assert.True(Text(theirs) == Text(ours), $"{line}\n{LineDifference.Of(Text(theirs), Text(ours))}");
        }
    }

    private static string Text(ToolResult result) => $"{Regex.Replace(result.Output, @"(Run completed in )[\d.]+", "$1")}{result.Error}{result.ExitCode}";

    private QemuHolder Hold(string holder)
    {
        string[] words = holder.Split(' ');
        return words[0] switch
        {
            "qemu-io" => QemuHolder.Io(_directory["x.qcow2"], "qcow2", words[1..]),
            "qemu-nbd" => QemuHolder.Nbd(_directory["x.qcow2"], "qcow2", _directory.Path, words[1..]),
            _ => QemuHolder.Daemon(_directory["x.qcow2"], "qcow2", _directory.Path),
        };
    }

    private void Make()
    {
        QemuTools.Require();
        foreach (string line in new[]
        {
            "create -q -f qcow2 x.qcow2 4M", "create -q -f raw y.raw 4M", "create -q -f qcow2 -b x.qcow2 -F qcow2 over.qcow2", "create -q -f qcow2 base.qcow2 4M", "create -q -f qcow2 -b base.qcow2 -F qcow2 top.qcow2", "snapshot -c one x.qcow2",
        })
        {
            ToolResult made = Reader(line.Split(' '));
            Assert.True(made.ExitCode == 0, string.Create(CultureInfo.InvariantCulture, $"{line}: {made.Error}"));
        }

        QemuTools.Io(_directory["top.qcow2"], "qcow2", "write -P 3 0 4M");
        QemuTools.Io(_directory["y.raw"], "raw", "write -P 4 0 4M");
    }
}
