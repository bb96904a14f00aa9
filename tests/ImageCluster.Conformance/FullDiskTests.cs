using ImageCluster.Testing.Qemu;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Conformance;

/// <summary>A full disk: the same words and exit code as qemu-img's, and an image that is whole, or that check makes whole without loss.</summary>
public sealed class FullDiskTests : IDisposable
{
    private const int Megabytes = 4;

    private readonly TempDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [SkippableTheory]
    [InlineData("convert -O raw {far}/big.raw out", "")]
    [InlineData("convert -O qcow2 {far}/big.raw out", "")]
    [InlineData("convert -O vmdk {far}/big.raw out", "")]
    [InlineData("convert -O vdi {far}/big.raw out", "")]
    [InlineData("convert -n -O qcow2 {far}/big.raw x.qcow2", "")]
    [InlineData("dd if={far}/big.raw of=out bs=1M", "")]
    [InlineData("create -f raw -o preallocation=full out 8M", "")]
    [InlineData("create -f raw -o preallocation=falloc out 8M", "")]
    [InlineData("create -f qcow2 -o preallocation=full out 8M", "")]
    [InlineData("create -f qcow2 -o preallocation=falloc out 8M", "")]
    [InlineData("resize --preallocation=full x.qcow2 12M", "x.qcow2")]
    [InlineData("resize --preallocation=falloc x.qcow2 12M", "x.qcow2")]
    [InlineData("resize -f raw --preallocation=full r.raw 8M", "")]
    [InlineData("bench -w -c 100 -s 64k --pattern=3 x.qcow2", "")]
    [InlineData("commit over.qcow2", "over.qcow2")]
    [InlineData("rebase -b '' over.qcow2", "over.qcow2")]
    [InlineData("amend -o compat=0.10 zeros.qcow2", "zeros.qcow2")]
    [InlineData("convert -O vpc {far}/big.raw out", "")]
    [InlineData("convert -O vpc -o subformat=fixed {far}/big.raw out", "")]
    [InlineData("convert -O qed {far}/big.raw out", "")]
    [InlineData("convert -O qcow {far}/big.raw out", "")]
    [InlineData("convert -O vdi -o static=on {far}/big.raw out", "")]
    [InlineData("convert -O vmdk -o subformat=monolithicFlat {far}/big.raw out", "")]
    [InlineData("convert -O luks --object secret,id=s,data=abc -o key-secret=s,iter-time=1 {far}/big.raw out", "")]
    [InlineData("convert -c -O qcow2 {far}/big.raw out", "")]
    [InlineData("convert -n -c -O qcow2 {far}/big.raw x.qcow2", "")]
    [InlineData("convert -O qcow2 --salvage {far}/big.raw out", "")]
    [InlineData("convert -O qcow2 -o preallocation=metadata {far}/big.raw out", "")]
    [InlineData("convert -O qcow2 -o preallocation=falloc {far}/big.raw out", "")]
    [InlineData("convert -O qcow2 -o preallocation=full {far}/big.raw out", "")]
    [InlineData("convert -O qcow2 -o data_file=out.d {far}/big.raw out", "")]
    [InlineData("convert -O raw -o preallocation=falloc {far}/big.raw out", "")]
    [InlineData("convert -O raw -o preallocation=full {far}/big.raw out", "")]
    [InlineData("convert -O raw -S 0 {far}/big.raw out", "")]
    [InlineData("dd -O qcow2 if={far}/big.raw of=out bs=1M", "")]
    [InlineData("create -f luks --object secret,id=s,data=abc -o key-secret=s,iter-time=1,preallocation=full out 8M", "")]
    [InlineData("create -f luks --object secret,id=s,data=abc -o key-secret=s,iter-time=1,preallocation=falloc out 8M", "")]
    [InlineData("create -f qcow2 -o data_file=out.d,preallocation=full out 8M", "")]
    [InlineData("create -f qcow2 -o data_file=out.d,preallocation=falloc out 8M", "")]
    [InlineData("resize --preallocation=full d.qcow2 8M", "")]
    [InlineData("resize --preallocation=falloc d.qcow2 8M", "")]
    [InlineData("resize --preallocation=full over.qcow2 12M", "over.qcow2")]
    [InlineData("resize -f raw --preallocation=falloc r.raw 8M", "")]
    [InlineData("commit -d over.qcow2", "over.qcow2")]
    public void AFullDisk(string line, string unchanged)
    {
        QemuTools.Require();
        string far = _directory["far"];
        Directory.CreateDirectory(far);
        Programs.Execute(far, "dd", "if=/dev/urandom", "of=big.raw", "bs=1M", "count=8");
        (ToolResult theirs, _) = Run(Programs.QemuImg, line, unchanged, far);
        (ToolResult ours, string state) = Run(Programs.OwnBinary, line, unchanged, far);
        Assert.NotEqual(0, theirs.ExitCode);
        Assert.Equal(theirs.ExitCode, ours.ExitCode);
        Assert.Equal(WithoutPlaces(theirs.Error), WithoutPlaces(ours.Error));
        Assert.Equal("", state);
    }

    private (ToolResult Result, string State) Run(string program, string line, string unchanged, string far)
    {
        string path = _directory["disk"];
        using SmallDisk disk = SmallDisk.Mount(path, Megabytes);
        Make(path, far);
        string[] arguments = CommandLineText.Split(line.Replace("{far}", far, StringComparison.Ordinal));
        ToolResult result = Programs.Execute(path, program, arguments);
        File.Delete(Path.Combine(path, "out"));
        File.Delete(Path.Combine(path, "filler"));
        File.Delete(Path.Combine(path, "out.d"));
        string state = "";
        foreach (string image in new[] { "x.qcow2", "over.qcow2", "base.qcow2", "zeros.qcow2" })
        {
            ToolResult check = Programs.Execute(path, Programs.QemuImg, "check", "-r", "all", image);
            state += check.ExitCode == 0 ? "" : $"{image}: {check.Output}{check.Error}";
        }

        if (unchanged.Length > 0)
        {
            ToolResult same = Programs.Execute(path, Programs.QemuImg, "compare", "-F", "raw", unchanged, Path.Combine(far, unchanged + ".raw"));
            state += same.ExitCode == 0 ? "" : same.Output + same.Error;
        }

        return (result, state);
    }

    private static void Make(string path, string far)
    {
        Qemu("create", "-q", "-f", "qcow2", "x.qcow2", "8M");
        Qemu("create", "-q", "-f", "raw", "r.raw", "64k");
        Qemu("create", "-q", "-f", "qcow2", "-o", "data_file=d.data", "d.qcow2", "64k");
        Qemu("create", "-q", "-f", "qcow2", "base.qcow2", "4M");
        QemuTools.Io(Path.Combine(path, "base.qcow2"), "qcow2", "write -P 1 0 768k");
        Qemu("create", "-q", "-f", "qcow2", "-b", "base.qcow2", "-F", "qcow2", "over.qcow2");
        QemuTools.Io(Path.Combine(path, "over.qcow2"), "qcow2", "write -P 2 1M 1M");
        Qemu("create", "-q", "-f", "qcow2", "-b", "base.qcow2", "-F", "qcow2", "zeros.qcow2");
        QemuTools.Io(Path.Combine(path, "zeros.qcow2"), "qcow2", "write -z 0 4M");
        foreach (string image in new[] { "x.qcow2", "over.qcow2", "zeros.qcow2" })
        {
            Qemu("convert", "-O", "raw", image, Path.Combine(far, image + ".raw"));
        }

        // What is left is filled but for a little.
        DriveInfo drive = new(path);
        Programs.Execute(path, "dd", "if=/dev/zero", "of=filler", "bs=4k", $"count={(drive.AvailableFreeSpace / 4096) - 144}");

        void Qemu(params string[] arguments)
        {
            ToolResult made = Programs.Execute(path, Programs.QemuImg, arguments);
            Assert.True(made.ExitCode == 0, made.Error);
        }
    }

    // Where the room ended depends on how the work is cut.
    private static string WithoutPlaces(string text) => System.Text.RegularExpressions.Regex.Replace(text, @"at byte \d+", "at byte N");
}
