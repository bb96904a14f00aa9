using ImageCluster.Imaging.Formats.BlockTables;
using ImageCluster.Imaging.Formats.Capabilities;

namespace ImageCluster.Imaging.Formats.Vdi;

/// <summary>A VDI image open for reading.</summary>
internal class VdiReader : BlockMapReader, ICheckable
{
    protected VdiReader(OpenContext context, VdiHeader header, VdiBlockMap map)
        : base(context, map, header.DiskSize, header.IsStatic) => BlockMap = map;

    public override string FormatName => "vdi";

    protected VdiBlockMap BlockMap { get; }

    public static VdiReader Open(OpenContext context)
    {
        try
        {
            VdiHeader header = VdiHeader.Read(context.File, context.FileName);
            if (context.Write && header.MapOverlapsData)
            {
                throw new ImageException(ImageErrorKind.Corrupt, context.FileName, "Block map and data of the VDI image overlap: it can only be read");
            }

            VdiBlockMap map = new(context.File, header);
            return context.Write ? new VdiWriter(context, header, map) : new VdiReader(context, header, map);
        }
        catch
        {
            context.File.Dispose();
            throw;
        }
    }

    public virtual CheckReport Check(CheckRepair repair) => new VdiChecker(File, BlockMap).Check(CheckRepair.None);
}
