using System.Diagnostics;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Imaging.Tests.Formats.Vmdk;

/// <summary>Readers that are neither QEMU's nor ours agree on what we wrote: 7-Zip and libvmdk.</summary>
public sealed class IndependentReaderTests
{
    private const int Size = (33 << 20) + 512;

    [SkippableTheory]
    [MemberData(nameof(VmdkImages.SubformatData), MemberType = typeof(VmdkImages))]
    public void SevenZip_extracts_the_guests_bytes(string subformat)
    {
        const string program = "/usr/bin/7zz";
        Skip.IfNot(File.Exists(program), "7zz (Debian: 7zip) is not installed");
        using TempDirectory temp = new();
        byte[] guest = Write(temp, subformat);
        Run(program, "x", "-y", $"-o{temp["out"]}", temp["disk.vmdk"]);
        VmdkImages.AssertSame(guest, File.ReadAllBytes(Assert.Single(Directory.GetFiles(temp["out"]))));
    }

    [SkippableTheory]
    [InlineData("monolithicSparse", "Monolithic sparse")]
    [InlineData("monolithicFlat", "Monolithic flat")]
    [InlineData("twoGbMaxExtentSparse", "2GB extent sparse")]
    [InlineData("twoGbMaxExtentFlat", "2GB extent flat")]
    [InlineData("streamOptimized", "Stream optimized")]
    public void Libvmdk_describes_the_disk(string subformat, string type)
    {
        const string program = "/usr/bin/vmdkinfo";
        Skip.IfNot(File.Exists(program), "vmdkinfo (Debian: libvmdk-utils) is not installed");
        using TempDirectory temp = new();
        Write(temp, subformat);
        string output = Run(program, temp["disk.vmdk"]);
        Assert.Contains(type, output, StringComparison.Ordinal);
        Assert.Contains($"({Size} bytes)", output, StringComparison.Ordinal);
    }

    private static byte[] Write(TempDirectory temp, string subformat)
    {
        byte[] guest = VmdkImages.Guest(Size, 8);
        File.WriteAllBytes(temp["source.raw"], guest);
        FillTests.Convert(temp["source.raw"], temp["disk.vmdk"], subformat, threads: 2);
        File.Delete(temp["source.raw"]);
        return guest;
    }

    private static string Run(string program, params string[] arguments)
    {
        using Process process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        Task<string> error = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, $"{program}: {output}{error.GetAwaiter().GetResult()}");
        return output;
    }
}
