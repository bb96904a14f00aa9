using ImageCluster.Testing.Qemu;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Conformance;

/// <summary>What qemu-img does not manage to write to a block device, and ours does: qemu-img reads it there.</summary>
public sealed class DeviceTests : IDisposable
{
    private const long Room = 24 << 20;

    private readonly TempDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [SkippableTheory]
    [InlineData("vmdk")]
    [InlineData("qed")]
    [InlineData("qcow")]
    [InlineData("vhdx")]
    public void QemuImgReadsTheImage(string format)
    {
        QemuTools.Require();
        using LoopDevice device = LoopDevice.Make(_directory["disk.img"], Room);
        Run(Programs.QemuImg, "create", "-q", "-f", "qcow2", "s.qcow2", "16M");
        Run("qemu-io", "-c", "write -P 5 1M 3M", "-c", "write -P 6 15M 1M", "s.qcow2");
        Run(Programs.OwnBinary, "convert", "-O", format, "s.qcow2", device.Path);
        Run(Programs.QemuImg, "compare", "-F", format, "s.qcow2", device.Path);
    }

    private void Run(string program, params string[] arguments)
    {
        ToolResult result = Programs.Execute(_directory.Path, program, arguments);
        Assert.True(result.ExitCode == 0, $"{program} {string.Join(' ', arguments)}: exit code {result.ExitCode}\n{result.Error}{result.Output}");
    }
}
