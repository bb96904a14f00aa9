using System.Diagnostics;
using System.Text.RegularExpressions;
using ImageCluster.Testing.Qemu;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Conformance;

/// <summary>
/// A file that must not become as long as it would (<c>ulimit -f</c>, or the file system's own limit: EFBIG): the same words, exit code and files left as with qemu-img, and
/// images that are whole, or that check makes whole without loss.
/// </summary>
public sealed partial class FileSizeLimitTests : IDisposable
{
    private const string Prlimit = "/usr/bin/prlimit";
    private const int Limit = 1 << 20;

    private readonly TempDirectory _directory = new(Directory.Exists("/dev/shm") ? "/dev/shm" : null);

    public void Dispose() => _directory.Dispose();

    [SkippableTheory]
    [InlineData("convert -O raw src z.raw")]
    [InlineData("convert -O qcow2 src z.qcow2")]
    [InlineData("convert -O vmdk src z.vmdk")]
    [InlineData("convert -O vmdk -o subformat=twoGbMaxExtentSparse src z.vmdk")]
    [InlineData("convert -O vdi src z.vdi")]
    [InlineData("convert -O vdi -o static=on src z.vdi")]
    [InlineData("convert -O vhdx src z.vhdx")]
    [InlineData("convert -O vpc src z.vpc")]
    [InlineData("convert -O vpc -o subformat=fixed src z.vpc")]
    [InlineData("convert -O qed src z.qed")]
    [InlineData("convert -O qcow src z.qcow")]
    [InlineData("convert -O parallels src z.par")]
    [InlineData("convert -O luks --object secret,id=s,data=abc -o key-secret=s,iter-time=1 src z.luks")]
    [InlineData("convert -O qcow2 -o data_file=z.data src z.q")]
    [InlineData("dd if=src of=z.dd bs=1M")]
    [InlineData("dd -O qcow2 if=src of=z.dd bs=1M")]
    [InlineData("create -f raw z.raw 20M")]
    [InlineData("create -f raw -o preallocation=falloc z.raw 20M")]
    [InlineData("create -f raw -o preallocation=full z.raw 20M")]
    [InlineData("create -f qcow2 -o preallocation=full z.qcow2 20M")]
    [InlineData("create -f qcow2 -o data_file=z.data z.q 20M")]
    [InlineData("create -f luks --object secret,id=s,data=abc -o key-secret=s,iter-time=1 z.luks 20M")]
    [InlineData("create -f vpc -o subformat=fixed z.vpc 20M")]
    [InlineData("create -f vdi -o static=on z.vdi 20M")]
    [InlineData("resize -f raw x.raw 4M")]
    [InlineData("resize -f raw --preallocation=falloc x.raw 4M")]
    [InlineData("resize -f raw --preallocation=full x.raw 4M")]
    [InlineData("resize data.qcow2 40M")]
    [InlineData("commit over.qcow2")]
    [InlineData("rebase -b '' over.qcow2")]
    [InlineData("convert -n -O vmdk src x.vmdk")]
    [InlineData("convert -n -O qcow2 src x.qcow2")]
    [InlineData("convert -n -O qcow2 src data.qcow2")]
    [InlineData("bench -w -c 100 -s 64k --pattern=3 x.qcow2")]
    [InlineData("resize --preallocation=metadata x.qcow2 40M")]
    [InlineData("resize --preallocation=falloc x.qcow2 40M")]
    [InlineData("resize --preallocation=full x.qcow2 40M")]
    [InlineData("resize --preallocation=falloc short.qcow2 20M")]
    [InlineData("resize --preallocation=full short.qcow2 20M")]
    [InlineData("resize short.qcow2 20T")]
    [InlineData("resize x.qcow2 1P")]
    [InlineData("amend -o size=1P x.qcow2")]
    [InlineData("convert -O raw -o preallocation=falloc src z.raw")]
    [InlineData("convert -O raw -o preallocation=full src z.raw")]
    [InlineData("convert -O qcow2 -o preallocation=metadata src z.qcow2")]
    [InlineData("convert -O qcow2 -o preallocation=falloc src z.qcow2")]
    [InlineData("convert -O qcow2 -o preallocation=full src z.qcow2")]
    [InlineData("convert -n -O qed src x.qed")]
    [InlineData("create -f qcow2 -o preallocation=metadata z.qcow2 20M")]
    [InlineData("create -f qcow2 -o preallocation=falloc z.qcow2 20M")]
    [InlineData("create -f qcow2 -o data_file=z.data,preallocation=full z.q 20M")]
    [InlineData("create -f vhdx z.vhdx 20M")]
    [InlineData("create -f vdi z.vdi 20T")]
    [InlineData("create -f qcow z.qcow 20T")]
    public void AFileThatWouldBecomeTooLong(string line)
    {
        QemuTools.Require();
        Skip.IfNot(File.Exists(Prlimit), "prlimit (Debian: util-linux) is not installed");
        Make();
        (ToolResult theirs, string theirFiles, _) = Run(Programs.QemuImg, "t", line);
        (ToolResult ours, string ourFiles, string state) = Run(Programs.OwnBinary, "o", line);
        Assert.NotEqual(0, theirs.ExitCode);
        Assert.Equal(theirs.ExitCode, ours.ExitCode);
        Assert.Equal(Place().Replace(theirs.Error, "N"), Place().Replace(ours.Error, "N"));
        Assert.Equal(theirFiles, ourFiles);
        Assert.Equal("", state);
    }

    /// <summary>A flat extent cannot have its length: qemu-img says that all is well, and leaves an image that it cannot read. Ours says what is wrong.</summary>
    [SkippableTheory]
    [InlineData("create -f vmdk -o subformat=monolithicFlat z.vmdk 20M")]
    [InlineData("create -f vmdk -o subformat=twoGbMaxExtentFlat z.vmdk 20M")]
    public void AFlatExtentThatCannotHaveItsLength(string line)
    {
        QemuTools.Require();
        Skip.IfNot(File.Exists(Prlimit), "prlimit (Debian: util-linux) is not installed");
        Make();
        (ToolResult theirs, _, _) = Run(Programs.QemuImg, "t", line);
        (ToolResult ours, _, _) = Run(Programs.OwnBinary, "o", line);
        Assert.Equal(0, theirs.ExitCode);
        Assert.NotEqual(0, Programs.Execute(_directory["t"], Programs.QemuImg, "check", "z.vmdk").ExitCode);
        Assert.Equal((1, "qemu-img: z.vmdk: The image size is too large for file format 'vmdk'\n"), (ours.ExitCode, ours.Error));
    }

    private (ToolResult Result, string Files, string State) Run(string program, string side, string line)
    {
        string directory = _directory[side];
        ToolResult result;
        do
        {
            Programs.Execute(_directory.Path, "rm", "-rf", side);
            Programs.Execute(_directory.Path, "cp", "-a", "in", side);
            result = Limited(program, directory, line);
        }
        while (result.Error.Contains("Unable to get accurate CPU usage", StringComparison.Ordinal));

        string files = string.Join(' ', Directory.GetFiles(directory).Select(static path => Path.GetFileName(path)).Order(StringComparer.Ordinal));
        string state = "";
        foreach (string image in new[] { "x.qcow2", "base.qcow2", "over.qcow2", "data.qcow2", "short.qcow2" })
        {
            ToolResult check = Programs.Execute(directory, Programs.QemuImg, "check", "-r", "all", image);
            state += check.ExitCode == 0 ? "" : $"{image}: {check.Output}{check.Error}";
        }

        ToolResult same = Programs.Execute(directory, Programs.QemuImg, "compare", "over.qcow2", Path.Combine(_directory["in"], "over.qcow2"));
        return (result, files, state + (same.ExitCode == 0 ? "" : same.Output + same.Error));
    }

    private static ToolResult Limited(string program, string directory, string line)
    {
        // The runtime of a program that is not compiled ahead of time keeps its code in a long file that is nowhere.
        ProcessStartInfo start = new(Prlimit, [$"--fsize={Limit}", "--", program, .. CommandLineText.Split(line)])
        {
            WorkingDirectory = directory,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            Environment = { ["DOTNET_EnableWriteXorExecute"] = "0" },
        };
        using Process process = Process.Start(start)!;
        Task<string> error = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return new(process.ExitCode, output, error.GetAwaiter().GetResult());
    }

    private void Make()
    {
        string directory = _directory["in"];
        Directory.CreateDirectory(directory);
        foreach (string line in new[]
        {
            "create -q -f raw src 20M", "create -q -f raw x.raw 512k", "create -q -f qcow2 x.qcow2 20M", "create -q -f qcow2 base.qcow2 20M", "create -q -f qcow2 -b base.qcow2 -F qcow2 over.qcow2", "create -q -f vmdk x.vmdk 20M",
            "create -q -f qcow2 -o data_file=data.raw data.qcow2 20M", "create -q -f qcow2 -b base.qcow2 -F qcow2 short.qcow2 10M", "create -q -f qed x.qed 20M",
        })
        {
            ToolResult made = Programs.Execute(directory, Programs.QemuImg, line.Split(' '));
            Assert.True(made.ExitCode == 0, $"{line}: {made.Error}");
        }

        QemuTools.Io(Path.Combine(directory, "src"), "raw", "write -P 5 0 3M");
        QemuTools.Io(Path.Combine(directory, "base.qcow2"), "qcow2", "write -P 6 0 600k");
        QemuTools.Io(Path.Combine(directory, "over.qcow2"), "qcow2", "write -P 7 600k 600k");
    }

    // Where the file ended depends on how the work is cut.
    [GeneratedRegex(@"(?<=at byte )\d+")]
    private static partial Regex Place();
}
