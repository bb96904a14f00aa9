using ImageCluster.Imaging.Formats.BlockTables;
using ImageCluster.Imaging.Formats.Capabilities;

namespace ImageCluster.Imaging.Formats.Parallels;

/// <summary>A Parallels image open for reading.</summary>
internal class ParallelsReader : BlockMapReader, ICheckable, IImageStatus
{
    protected ParallelsReader(OpenContext context, ParallelsHeader header, ParallelsBlockMap map)
        : base(context, map, header.Sectors * ParallelsHeader.SectorSize, holesAreZero: false)
    {
        Header = header;
        BlockMap = map;
    }

    public override string FormatName => "parallels";

    /// <summary>QEMU's driver shows neither a cluster size nor whether the image is clean.</summary>
    public override long ClusterSize => 0;

    public bool TellsDirty => false;

    protected ParallelsHeader Header { get; }

    protected ParallelsBlockMap BlockMap { get; }

    public static ParallelsReader Open(OpenContext context)
    {
        try
        {
            ParallelsHeader header = ParallelsHeader.Read(context.File, context.FileName);
            ParallelsBlockMap map = new(context.File, header);
            if (!context.Write)
            {
                return new ParallelsReader(context, header, map);
            }

            if (header.IsUnclean && !context.ForCheck)
            {
                throw new ImageException(ImageErrorKind.Corrupt, context.FileName,
                    "parallels: Image was not closed correctly; cannot be opened read/write");
            }

            map.FindEnd();
            ParallelsHeader.WriteInUse(context.File, true);
            return new ParallelsWriter(context, header, map);
        }
        catch
        {
            context.File.Dispose();
            throw;
        }
    }

    public virtual CheckReport Check(CheckRepair repair) => new ParallelsChecker(File, Header, BlockMap).Check(CheckRepair.None, Header.IsUnclean);
}
