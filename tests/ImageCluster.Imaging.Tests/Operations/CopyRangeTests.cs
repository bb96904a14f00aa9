using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Formats;
using ImageCluster.Imaging.Formats.Capabilities;
using ImageCluster.Imaging.Formats.Filling;
using ImageCluster.Imaging.Formats.Qcow2;
using ImageCluster.Imaging.Formats.Raw;
using ImageCluster.Imaging.Operations.Converting;
using ImageCluster.Imaging.Storage;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Imaging.Tests.Operations;

/// <summary>convert -C: what the storage can copy it copies, and what it cannot is copied as ever.</summary>
public sealed class CopyRangeTests
{
    private const int Size = 3 << 20;

    // The disk ends within a cluster.
    private const int OddSize = Size - 70_144;

    private readonly MemoryLocator _files = new();

    [Theory]
    [InlineData("raw", int.MaxValue)]
    [InlineData("qcow2", int.MaxValue)]
    [InlineData("raw", 0)]
    [InlineData("qcow2", 1)]
    [InlineData("compressed", int.MaxValue)]
    public void TheTargetHoldsTheSourcesBytesWhateverTheStorageCanDo(string kind, int copies)
    {
        byte[] content = Content(Size);
        MakeSource(kind, content);
        using LayeredDisk source = OpenSource();
        CopyCounts counts = new(copies);
        CopyingFile target = new(_files.Create("target", Size, OpenMode.ReadWrite), counts);
        using (RawFill fill = new(target, Size, isZero: true))
        {
            new Converter(new DiskSource(source), fill, new ConvertOptions { CopyRanges = true, Threads = 2 }).Run(CancellationToken.None);
            fill.Finish();
        }

        Assert.Equal(content, _files["target"]);
        if (kind != "compressed")
        {
            Assert.Equal(copies > 0, counts.Copied > 0);
            Assert.Equal(copies < int.MaxValue, counts.Written > 0);
        }
    }

    [Theory]
    [InlineData("raw", "", int.MaxValue)]
    [InlineData("qcow2", "", int.MaxValue)]
    [InlineData("overlay", "cluster_size=4096", int.MaxValue)]
    [InlineData("overlay", "cluster_size=512", int.MaxValue)]
    [InlineData("overlay", "cluster_size=2097152", int.MaxValue)]
    [InlineData("qcow2", "extended_l2=on", int.MaxValue)]
    [InlineData("raw", "data_file=data", int.MaxValue)]
    [InlineData("raw", "data_file=data,data_file_raw=on", int.MaxValue)]
    [InlineData("qcow2", "preallocation=metadata", int.MaxValue)]
    [InlineData("raw", "", 0)]
    [InlineData("overlay", "cluster_size=4096", 2)]
    [InlineData("qcow2", "extended_l2=on", 3)]
    [InlineData("compressed", "", int.MaxValue)]
    public void ANewQcow2ImageIsCopiedInto(string kind, string options, int copies)
    {
        byte[] content = Content(OddSize);
        MakeSource(kind, content);
        using LayeredDisk source = OpenSource();
        CopyCounts counts = new(copies);
        CreateRequest request = Request("target", OddSize, options, new FakeLocator(_files, file => new CopyingFile(file, counts)));
        using (IFillTarget fill = new Qcow2Format().CreateFill(request))
        {
            new Converter(new DiskSource(source), fill, new ConvertOptions { CopyRanges = true, Threads = 2 }).Run(CancellationToken.None);
            fill.Finish();
        }

        CheckTarget(content);
        Assert.Equal(kind != "compressed" && copies > 0, counts.Copied > 0);
        if (copies == int.MaxValue && kind != "compressed")
        {
            // All the payload; what was written are tables.
            int tables = options == "cluster_size=2097152" ? 10 << 20 : 1_000_000;
            Assert.True(counts.CopiedBytes >= 1_300_000 && counts.WrittenBytes < tables, $"{counts.CopiedBytes} bytes copied, {counts.WrittenBytes} written");
        }
    }

    [Theory]
    [InlineData("raw", "", int.MaxValue)]
    [InlineData("overlay", "cluster_size=4096", int.MaxValue)]
    [InlineData("qcow2", "extended_l2=on", int.MaxValue)]
    [InlineData("raw", "data_file=data", int.MaxValue)]
    [InlineData("raw", "cluster_size=4096", 0)]
    [InlineData("overlay", "extended_l2=on", 2)]
    [InlineData("compressed", "", int.MaxValue)]
    public void AQcow2ImageThatIsThereIsCopiedInto(string kind, string options, int copies)
    {
        byte[] content = Content(OddSize);
        MakeSource(kind, content);
        _files["base"] = [.. Enumerable.Repeat((byte)9, OddSize)];
        string backing = options.Contains("data_file", StringComparison.Ordinal) ? "" : "backing_file=base,backing_fmt=raw,";
        new Qcow2Format().Create(Request("target", OddSize, backing + options, _files));
        CopyCounts counts = new(copies);
        using (LayeredDisk target = new ChainOpener(new FakeLocator(_files, file => new CopyingFile(file, counts))).Open("target", new ChainOptions { Mode = OpenMode.ReadWrite }))
        {
            // Clusters that it has already, some of them in part.
            target.Write(100_000, [.. Enumerable.Repeat((byte)8, 300_000)]);
        }

        using LayeredDisk source = OpenSource();
        using (InPlaceTarget fill = new(new ChainOpener(new FakeLocator(_files, file => new CopyingFile(file, counts))).Open("target", new ChainOptions { Mode = OpenMode.ReadWrite })))
        {
            new Converter(new DiskSource(source), fill, new ConvertOptions { CopyRanges = true, Threads = 2 }).Run(CancellationToken.None);
            fill.Finish();
        }

        CheckTarget(content);
        Assert.Equal(kind != "compressed" && copies > 0, counts.Copied > 0);
    }

    [Theory]
    [InlineData("overlay", int.MaxValue)]
    [InlineData("qcow2", 1)]
    public void ARawImageThatIsThereIsCopiedInto(string kind, int copies)
    {
        byte[] content = Content(OddSize);
        MakeSource(kind, content);
        _files["target"] = [.. Enumerable.Repeat((byte)9, OddSize)];
        CopyCounts counts = new(copies);
        using LayeredDisk source = OpenSource();
        using (InPlaceTarget fill = new(new ChainOpener(new FakeLocator(_files, file => new CopyingFile(file, counts))).Open("target", new ChainOptions { Format = "raw", Mode = OpenMode.ReadWrite })))
        {
            new Converter(new DiskSource(source), fill, new ConvertOptions { CopyRanges = true, Threads = 2 }).Run(CancellationToken.None);
            fill.Finish();
        }

        Assert.True(content.AsSpan().SequenceEqual(_files["target"]));
        Assert.True(counts.Copied > 0);
    }

    // Data that ends within clusters and sectors, zeros within data, holes.
    private static byte[] Content(int size)
    {
        byte[] content = new byte[size];
        new Random(3).NextBytes(content.AsSpan(0, (1 << 20) + 1234));
        content.AsSpan(200_000, 150_000).Clear();
        content.AsSpan(2 << 20, 300_000).Fill(7);
        content.AsSpan(size - 1000).Fill(5);
        return content;
    }

    private static CreateRequest Request(string name, long size, string options, IFileLocator files) => new()
    {
        FileName = name,
        Locator = files,
        VirtualSize = size,
        Options = options.Split(',', StringSplitOptions.RemoveEmptyEntries).Select(static option => option.Split('=')).ToDictionary(static pair => pair[0], static pair => pair[1]),
    };

    // On storage that can copy, too.
    private LayeredDisk OpenSource() =>
        new ChainOpener(new FakeLocator(_files, static file => new CopyingFile(file, new CopyCounts(int.MaxValue)))).Open("source", new ChainOptions());

    private void CheckTarget(byte[] content)
    {
        using LayeredDisk written = new ChainOpener(_files).Open("target", new ChainOptions());
        byte[] read = new byte[content.Length];
        written.Read(0, read);
        Assert.True(content.AsSpan().SequenceEqual(read));
        CheckReport report = ((ICheckable)written.Top).Check(CheckRepair.None);
        Assert.Equal((0, 0), (report.Corruptions, report.Leaks));
    }

    private void MakeSource(string kind, byte[] content)
    {
        if (kind == "raw")
        {
            _files["source"] = content;
            return;
        }

        Dictionary<string, string> options = [];
        if (kind == "overlay")
        {
            // Every other 100,000 bytes stand below.
            byte[] below = (byte[])content.Clone();
            for (int at = 0; at < below.Length; at += 200_000)
            {
                below.AsSpan(at, Math.Min(100_000, below.Length - at)).Fill(1);
            }

            _files["below"] = below;
            options["backing_file"] = "below";
            options["backing_fmt"] = "raw";
        }

        new Qcow2Format().Create(new CreateRequest { FileName = "source", Locator = _files, VirtualSize = content.Length, Options = options });
        _files["content"] = content;
        using LayeredDisk raw = new ChainOpener(_files).Open("content", new ChainOptions { Format = "raw" });
        if (kind == "overlay")
        {
            using LayeredDisk overlay = new ChainOpener(_files).Open("source", new ChainOptions { Mode = OpenMode.ReadWrite });
            for (int at = 0; at < content.Length; at += 200_000)
            {
                overlay.Write(at, content.AsSpan(at, Math.Min(100_000, content.Length - at)));
            }

            return;
        }

        using InPlaceTarget fill = new(new ChainOpener(_files).Open("source", new ChainOptions { Mode = OpenMode.ReadWrite }), compress: kind == "compressed");
        new Converter(new DiskSource(raw), fill, new ConvertOptions()).Run(CancellationToken.None);
        fill.Finish();
    }

    private sealed class CopyCounts(int copies)
    {
        private int _left = copies;
        private int _copied;
        private int _written;
        private long _copiedBytes;
        private long _writtenBytes;

        public int Copied => _copied;

        public int Written => _written;

        public long CopiedBytes => _copiedBytes;

        public long WrittenBytes => _writtenBytes;

        public bool MayCopy(long length)
        {
            if (Interlocked.Decrement(ref _left) < 0)
            {
                return false;
            }

            Interlocked.Increment(ref _copied);
            Interlocked.Add(ref _copiedBytes, length);
            return true;
        }

        public void Write(long length)
        {
            Interlocked.Increment(ref _written);
            Interlocked.Add(ref _writtenBytes, length);
        }
    }

    // Storage that copies so many ranges, and then cannot.
    private sealed class CopyingFile(IBlockFile inner, CopyCounts counts) : DelegatingFile(inner), IRangeCopy
    {
        public bool TryCopyFrom(IBlockFile source, long sourceOffset, long offset, long length)
        {
            byte[] bytes = new byte[length];
            if (source.Read(sourceOffset, bytes) < length || !counts.MayCopy(length))
            {
                // It got so far.
                Inner.Write(offset, bytes.AsSpan(0, (int)length / 2));
                return false;
            }

            Inner.Write(offset, bytes);
            return true;
        }

        protected override void Before(StorageCall call, long offset, ReadOnlySpan<byte> data)
        {
            if (call == StorageCall.Write)
            {
                counts.Write(data.Length);
            }
        }
    }
}
