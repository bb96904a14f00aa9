using ImageCluster.Imaging.Formats.BlockTables;
using ImageCluster.Imaging.Formats.Capabilities;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Parallels;

/// <summary>A Parallels image open for writing in place; the header says so until it is closed.</summary>
internal sealed class ParallelsWriter(OpenContext context, ParallelsHeader header, ParallelsBlockMap map)
    : ParallelsReader(context, header, map), IWritableLayer
{
    private readonly BlockMapWriter _writer = new(context.File, map);
    private bool _isUnclean = header.IsUnclean;

    public long WriteUnit => 1;

    public void Write(long offset, ReadOnlySpan<byte> data) => _writer.Write(offset, data);

    public void WriteZeroes(long offset, long length, ZeroMode mode) => _writer.WriteZeroes(offset, length, mode);

    public void Discard(long offset, long length) => _writer.WriteZeroes(offset, length, ZeroMode.MayUnmap);

    public void Flush() => _writer.Flush();

    public override CheckReport Check(CheckRepair repair)
    {
        Flush();
        CheckReport report = new ParallelsChecker(File, Header, BlockMap).Check(repair, _isUnclean);
        _isUnclean &= !repair.HasFlag(CheckRepair.Errors);
        Flush();
        return report;
    }

    /// <summary>As QEMU does on closing: what lies behind the last cluster is cut off.</summary>
    public override void Dispose()
    {
        try
        {
            Flush();
            ParallelsHeader.WriteInUse(File, _isUnclean);
            if (File.CanResize && Header.ExtensionOffset == 0 && File.Length > BlockMap.End)
            {
                File.SetLength(BlockMap.End);
            }
        }
        finally
        {
            base.Dispose();
        }
    }
}
