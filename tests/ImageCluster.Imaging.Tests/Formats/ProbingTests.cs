using System.Text;
using System.Text.Json;
using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Formats;
using ImageCluster.Imaging.Storage;
using ImageCluster.Testing.Qemu;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Imaging.Tests.Formats;

/// <summary>What a file is taken for by its first bytes and its name: what qemu-img takes it for, whatever stands there.</summary>
public sealed class ProbingTests : IDisposable
{
    /// <summary>The marks by which formats are known, and where they stand.</summary>
    private static readonly (string Format, int Offset, byte[] Mark)[] Marks =
    [
        ("qcow2", 0, [.. "QFI"u8, 0xfb, 0, 0, 0, 3]),
        ("qcow", 0, [.. "QFI"u8, 0xfb, 0, 0, 0, 1]),
        ("qed", 0, "QED\0"u8.ToArray()),
        ("vmdk", 0, [.. "KDMV"u8, 1, 0, 0, 0]),
        ("vmdk", 0, [.. "COWD"u8, 1, 0, 0, 0]),
        ("vmdk", 0, "# Disk DescriptorFile\nversion=1\n"u8.ToArray()),
        ("vdi", 0x40, [0x7f, 0x10, 0xda, 0xbe]),
        ("vpc", 0, "conectix"u8.ToArray()),
        ("vhdx", 0, "vhdxfile"u8.ToArray()),
        ("parallels", 0, [.. "WithoutFreeSpace"u8, 2, 0, 0, 0]),
        ("parallels", 0, [.. "WithouFreSpacExt"u8, 2, 0, 0, 0]),
        ("luks", 0, [.. "LUKS"u8, 0xba, 0xbe, 0, 1]),
        ("bochs", 0, [.. Encoding.ASCII.GetBytes("Bochs Virtual HD Image".PadRight(32, '\0') + "Redolog".PadRight(16, '\0') + "Growing".PadRight(16, '\0')), 0, 0, 2, 0]),
        ("cloop", 0, "#!/bin/sh\n#V2.0 Format\nmodprobe cloop file=$0 && mount -r -t iso9660 /dev/cloop $1\n"u8.ToArray()),
    ];

    private readonly TempDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [SkippableFact]
    public void MarksAloneInPairsAndCutAreTakenAsQemuTakesThem()
    {
        QemuTools.Require();
        List<string> differences = [];
        foreach ((string format, int offset, byte[] mark) in Marks)
        {
            byte[] whole = new byte[offset + mark.Length];
            mark.CopyTo(whole, offset);
            int[] lengths = [.. new[] { 1, 3, 4, 7, 16, 63 }.Where(length => length < mark.Length), mark.Length];
            foreach (int length in lengths)
            {
                AddDifference(differences, whole[..(offset + length)], $"{length} bytes of the mark of {format}");
                AddDifference(differences, [.. whole[..(offset + length)], .. new byte[2048]], $"{length} bytes of the mark of {format} and zeros");
            }

            foreach ((string other, int at, byte[] otherMark) in Marks.Where(second => second.Offset != offset && second.Offset > 0))
            {
                byte[] hybrid = new byte[4096];
                mark.CopyTo(hybrid, offset);
                otherMark.CopyTo(hybrid, at);
                AddDifference(differences, hybrid, $"{format} and {other}");
            }
        }

        Assert.Empty(differences);
    }

    [SkippableTheory]
    [InlineData("a", 0)]
    [InlineData("a", 1)]
    [InlineData("a", 511)]
    [InlineData("a", 513)]
    [InlineData("a.dmg", 0)]
    [InlineData("a.dmg", 1024)]
    [InlineData("a.cloop", 1024)]
    [InlineData("a.vhd", 1024)]
    [InlineData("a.vmdk", 1024)]
    public void NamesAndEmptyFilesAreTakenAsQemuTakesThem(string name, int length)
    {
        QemuTools.Require();
        Assert.Null(Difference(new byte[length], name, $"{length} bytes named {name}"));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(0x40)]
    public void RandomFirstBytesAreRaw(int zeros)
    {
        Random random = new(1);
        for (int i = 0; i < 2000; i++)
        {
            byte[] head = new byte[FormatRegistry.ProbeLength];
            random.NextBytes(head.AsSpan(zeros));
            Assert.Equal("raw", FormatRegistry.Probe(head, "disk").Name);
        }
    }

    private void AddDifference(List<string> differences, byte[] content, string what)
    {
        if (Difference(content, "image", what) is { } difference)
        {
            differences.Add(difference);
        }
    }

    // Where qemu-img opens the file, it says as what; where it does not, the file is not raw.
    private string? Difference(byte[] content, string name, string what)
    {
        string path = _directory[name];
        File.WriteAllBytes(path, content);
        ToolResult info = QemuTools.TryImg("info", "--output=json", path);
        using IBlockFile file = new LocalFileLocator().Open(path, new OpenMode { Lock = ImageLock.None });
        string ours = ChainOpener.Probe(file).Name;
        if (info.ExitCode != 0)
        {
            return ours != "raw" ? null : $"{what}: raw here, and qemu-img says {info.Error.Trim()}";
        }

        using JsonDocument document = JsonDocument.Parse(info.Output);
        string theirs = document.RootElement.GetProperty("format").GetString()!;
        return ours == theirs ? null : $"{what}: {ours} here, {theirs} for qemu-img";
    }
}
