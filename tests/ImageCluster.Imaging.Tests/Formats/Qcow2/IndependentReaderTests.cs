using ImageCluster.Imaging.Storage;
using ImageCluster.Imaging.Tests.Formats.BlockTables;
using ImageCluster.Testing.Qemu;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Imaging.Tests.Formats.Qcow2;

/// <summary>Readers that are neither QEMU's nor ours agree on what we wrote: 7-Zip and libqcow.</summary>
public sealed class IndependentReaderTests : IDisposable
{
    private const int Size = (5 << 20) + 512;

    private readonly TempDirectory _directory = new();

    public static TheoryData<string, bool> Images => new()
    {
        { "", false },
        { "compat=0.10", false },
        { "cluster_size=512", false },
        { "cluster_size=2M", false },
        { "", true },
    };

    public void Dispose() => _directory.Dispose();

    [SkippableTheory]
    [MemberData(nameof(Images))]
    public void SevenZipReadsTheSame(string options, bool compress)
    {
        byte[] guest = Write(options, compress);
        Assert.True(guest.AsSpan().SequenceEqual(SevenZip.Extract("QCOW", _directory["a.qcow2"], _directory["out"])));
    }

    [SkippableTheory]
    [MemberData(nameof(Images))]
    public void LibqcowReadsTheSame(string options, bool compress)
    {
        byte[] guest = Write(options, compress);
        LibraryReader library = new("qcow");
        Assert.Contains($"({Size} bytes)", library.Describe(_directory["a.qcow2"]), StringComparison.Ordinal);
        if (library.Read(_directory["a.qcow2"], _directory["mount"]) is { } read)
        {
            Assert.True(guest.AsSpan().SequenceEqual(read));
        }
    }

    private byte[] Write(string options, bool compress)
    {
        byte[] guest = GuestContent.Make(Size, 21);
        FillHelper.Fill(new LocalFileLocator(), _directory["a.qcow2"], guest, compress, options);
        return guest;
    }
}
