using ImageCluster.Imaging.Formats.BlockTables;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Vhdx;

/// <summary>A fixed or dynamic VHDX open for writing in place.</summary>
internal sealed class VhdxWriter : VhdxReader, IWritableLayer
{
    private readonly BlockMapWriter _writer;

    public VhdxWriter(OpenContext context, VhdxMetadata metadata, VhdxBlockMap table, VhdxLogState logState)
        : base(context, metadata, table, logState) => _writer = new BlockMapWriter(context.File, table);

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
