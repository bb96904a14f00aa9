using ImageCluster.Imaging.Formats.BlockTables;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Vpc;

/// <summary>A fixed or dynamic VHD open for writing in place.</summary>
internal sealed class VpcWriter : VpcReader, IWritableLayer
{
    private readonly BlockMapWriter _writer;

    public VpcWriter(OpenContext context, VpcFooter footer, long size, VpcDynamicHeader? header, IWritableBlockMap map)
        : base(context, footer, size, header, map) => _writer = new BlockMapWriter(context.File, map);

    public long WriteUnit => 1;

    public void Write(long offset, ReadOnlySpan<byte> data) => _writer.Write(offset, data);

    public void WriteZeroes(long offset, long length, ZeroMode mode) => _writer.WriteZeroes(offset, length, mode);

    public void Discard(long offset, long length) => _writer.WriteZeroes(offset, length, ZeroMode.MayUnmap);

    public void Flush() => _writer.Flush();

    public override void Dispose()
    {
        try
        {
            Flush();
        }
        finally
        {
            base.Dispose();
        }
    }
}
