using ImageCluster.Imaging.Formats.BlockTables;
using ImageCluster.Imaging.Formats.Capabilities;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Vdi;

/// <summary>A VDI image open for writing in place.</summary>
internal sealed class VdiWriter(OpenContext context, VdiHeader header, VdiBlockMap map) : VdiReader(context, header, map), IWritableLayer
{
    private readonly BlockMapWriter _writer = new(context.File, map);

    public long WriteUnit => 1;

    public void Write(long offset, ReadOnlySpan<byte> data) => _writer.Write(offset, data);

    public void WriteZeroes(long offset, long length, ZeroMode mode) => _writer.WriteZeroes(offset, length, mode);

    public void Discard(long offset, long length) => _writer.WriteZeroes(offset, length, ZeroMode.MayUnmap);

    public void Flush() => _writer.Flush();

    public override CheckReport Check(CheckRepair repair)
    {
        CheckReport report = new VdiChecker(File, BlockMap).Check(repair);
        Flush();
        return report;
    }

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
