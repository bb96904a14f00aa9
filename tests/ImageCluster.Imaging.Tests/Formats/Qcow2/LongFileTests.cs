using System.Diagnostics;
using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Formats.Capabilities;
using ImageCluster.Imaging.Tests.Formats.BlockTables;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Imaging.Tests.Formats.Qcow2;

/// <summary>What random damage has found: files that are far longer than what is counted in them, and images in which nothing is counted.</summary>
public sealed class LongFileTests
{
    private static readonly TimeSpan MaxTime = TimeSpan.FromSeconds(30);

    [Theory]
    [InlineData("", 1L << 56)]
    [InlineData("cluster_size=512,refcount_bits=64", 1L << 40)]
    public void AFileThatIsFarLongerThanWhatIsInItIsReadAndWrittenAtOnce(string options, long length)
    {
        MemoryLocator files = Make(options);
        files.Store("image").SetLength(length);
        Stopwatch watch = Stopwatch.StartNew();
        using (LayeredDisk disk = new FormatKit("qcow2", files).Open("image", write: true))
        {
            disk.Write(1 << 20, [1, 2, 3]);
            disk.Flush();
            byte[] read = new byte[3];
            disk.Read(1 << 20, read);
            Assert.Equal([1, 2, 3], read);
        }

        Assert.True(watch.Elapsed < MaxTime, $"took {watch.Elapsed}");
    }

    [Fact]
    public void AnEntryFarBehindTheFilesEndIsCheckedAtOnce()
    {
        // Blocks of 64 refcounts, and a cluster almost at the greatest number that a check looks at.
        MemoryLocator files = Make("cluster_size=512,refcount_bits=64");
        files.Store("image").SetLength((long)int.MaxValue * 512);
        Stopwatch watch = Stopwatch.StartNew();
        using LayeredDisk disk = new FormatKit("qcow2", files).Open("image", write: true, forCheck: true);
        CheckReport report = ((ICheckable)disk.Top).Check(CheckRepair.All);
        Assert.True(watch.Elapsed < MaxTime, $"took {watch.Elapsed}");
        Assert.Equal((0, 0), (report.Corruptions, report.CheckErrors));
    }

    [Fact]
    public void WhereNotEvenTheHeaderIsCountedTheWidthIsNotChanged()
    {
        MemoryLocator files = Make("");
        MemoryStore store = files.Store("image");
        byte[] table = new byte[8];
        store.Read(Metadata(store), table);
        store.Write(System.Buffers.Binary.BinaryPrimitives.ReadInt64BigEndian(table), new byte[1 << 16]);
        using LayeredDisk disk = new FormatKit("qcow2", files).Open("image", write: true);
        ImageException e = Assert.Throws<ImageException>(() =>
            ((IAmendable)disk.Top).Amend(new AmendRequest { Options = new Dictionary<string, string> { ["refcount_bits"] = "8" } }));
        Assert.Equal((ImageErrorKind.Corrupt, "Not even the image's header is counted as used"), (e.Kind, e.Message));
    }

    // The refcount table's offset in the file.
    private static long Metadata(MemoryStore store)
    {
        byte[] header = new byte[104];
        store.Read(0, header);
        return System.Buffers.Binary.BinaryPrimitives.ReadInt64BigEndian(header.AsSpan(48));
    }

    private static MemoryLocator Make(string options)
    {
        MemoryLocator files = new();
        new FormatKit("qcow2", files).Create("image", 8 << 20, options);
        using LayeredDisk disk = new FormatKit("qcow2", files).Open("image", write: true);
        disk.Write(0, new byte[200_000].Select((_, i) => (byte)(i | 1)).ToArray());
        return files;
    }
}
