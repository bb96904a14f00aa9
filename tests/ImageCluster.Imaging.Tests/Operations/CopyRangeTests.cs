using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Formats;
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

    private readonly MemoryLocator _files = new();

    [Theory]
    [InlineData("raw", int.MaxValue)]
    [InlineData("qcow2", int.MaxValue)]
    [InlineData("raw", 0)]
    [InlineData("qcow2", 1)]
    [InlineData("compressed", int.MaxValue)]
    public void TheTargetHoldsTheSourcesBytesWhateverTheStorageCanDo(string kind, int copies)
    {
        byte[] content = new byte[Size];
        new Random(3).NextBytes(content.AsSpan(0, 1 << 20));
        content.AsSpan(2 << 20, 300_000).Fill(7);
        MakeSource(kind, content);
        using LayeredDisk source = new ChainOpener(_files).Open("source", new ChainOptions());
        CopyingFile target = new(_files.Create("target", Size, OpenMode.ReadWrite), copies);
        using (RawFill fill = new(target, Size, isZero: true))
        {
            new Converter(new DiskSource(source), fill, new ConvertOptions { CopyRanges = true, Threads = 2 }).Run(CancellationToken.None);
            fill.Finish();
        }

        Assert.Equal(content, _files["target"]);
        if (kind != "compressed")
        {
            Assert.Equal(copies > 0, target.Copied > 0);
            Assert.Equal(copies < int.MaxValue, target.Written > 0);
        }
    }

    private void MakeSource(string kind, byte[] content)
    {
        if (kind == "raw")
        {
            _files["source"] = content;
            return;
        }

        new Qcow2Format().Create(new CreateRequest { FileName = "source", Locator = _files, VirtualSize = Size, Options = new Dictionary<string, string>() });
        using InPlaceTarget fill = new(new ChainOpener(_files).Open("source", new ChainOptions { Mode = OpenMode.ReadWrite }), compress: kind == "compressed");
        _files["content"] = content;
        using LayeredDisk raw = new ChainOpener(_files).Open("content", new ChainOptions { Format = "raw" });
        new Converter(new DiskSource(raw), fill, new ConvertOptions()).Run(CancellationToken.None);
        fill.Finish();
    }

    // Storage that copies so many ranges, and then cannot.
    private sealed class CopyingFile(IBlockFile inner, int copies) : DelegatingFile(inner), IRangeCopy
    {
        private int _left = copies;
        private int _copied;
        private int _written;

        public int Copied => _copied;

        public int Written => _written;

        public bool TryCopyFrom(IBlockFile source, long sourceOffset, long offset, long length)
        {
            byte[] bytes = new byte[length];
            if (Interlocked.Decrement(ref _left) < 0 || source.Read(sourceOffset, bytes) < length)
            {
                // The range is undefined then.
                Inner.Write(offset, bytes.AsSpan(0, (int)length / 2));
                return false;
            }

            Inner.Write(offset, bytes);
            Interlocked.Increment(ref _copied);
            return true;
        }

        protected override void Before(StorageCall call, long offset, ReadOnlySpan<byte> data)
        {
            if (call == StorageCall.Write)
            {
                Interlocked.Increment(ref _written);
            }
        }
    }
}
