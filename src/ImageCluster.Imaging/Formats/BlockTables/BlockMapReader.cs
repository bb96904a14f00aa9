using System.Numerics;
using ImageCluster.Imaging.Extents;

namespace ImageCluster.Imaging.Formats.BlockTables;

/// <summary>An image with one level of block table and no backing file: vdi, vpc, vhdx, parallels.</summary>
internal abstract class BlockMapReader : BlockReader
{
    /// <param name="context">The file.</param>
    /// <param name="map">Its block table.</param>
    /// <param name="virtualSize">Bytes.</param>
    /// <param name="holesAreZero">
    /// True where every block has its place from the start, so that only the file system knows what was never written.
    /// </param>
    protected BlockMapReader(OpenContext context, IBlockMap map, long virtualSize, bool holesAreZero)
        : base(context)
    {
        Blocks = map;
        HolesAreZero = holesAreZero;
        VirtualSize = virtualSize;
    }

    public override long Granularity => 1L << BitOperations.TrailingZeroCount(Blocks.BlockSize);

    protected IBlockMap Blocks { get; }

    protected bool HolesAreZero { get; }

    protected override Extent Look(long offset, long length)
    {
        long block = offset / Blocks.BlockSize;
        long within = offset - block * Blocks.BlockSize;
        length = Math.Min(length, Blocks.BlockSize - within);
        BlockPlace place = Blocks.Find(block);
        if (place.HostOffset < 0)
        {
            return new Extent(offset, length, place.Kind);
        }

        long host = place.HostOffset + within;
        if (HolesAreZero && place.Kind == ExtentKind.Data && host < File.Length)
        {
            (length, bool isHole) = File.NextRange(host, Math.Min(length, File.Length - host));
            return new Extent(offset, length, isHole ? ExtentKind.Zero : ExtentKind.Data, File, host, isHole);
        }

        return new Extent(offset, length, place.Kind, File, host);
    }
}
