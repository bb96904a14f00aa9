using ImageCluster.Imaging.Extents;
using ImageCluster.Imaging.Formats.BlockTables;
using ImageCluster.Imaging.Formats.Capabilities;

namespace ImageCluster.Imaging.Formats.Bochs;

/// <summary>
/// A growing Bochs disk: a catalog of extents, and in front of each extent a bitmap of the sectors that were written.
/// </summary>
internal sealed class BochsReader : BlockReader, IImageStatus
{
    private const int SectorSize = 512;
    private const uint Unallocated = 0xffffffff;
    private const int BitsPerWord = 32;

    private readonly BochsHeader _header;
    private readonly TableCache _cache;
    private readonly EntryTable _catalog;

    private BochsReader(OpenContext context)
        : base(context)
    {
        _header = BochsHeader.Read(File, FileName);
        _cache = new TableCache(File);
        _catalog = new EntryTable("catalog", _header.CatalogOffset, _header.CatalogEntries, sizeof(uint));
        VirtualSize = _header.DiskSize;
    }

    public override string FormatName => "bochs";

    public override long Granularity => SectorSize;

    public override long ClusterSize => 0;

    public bool TellsDirty => false;

    public bool TellsPlaces => false;

    public static IImageLayer Open(OpenContext context) => ReadOnlyFormat.Open(context, static context => new BochsReader(context));

    protected override Extent Look(long offset, long length)
    {
        long extent = offset / _header.ExtentSize;
        long within = offset - extent * _header.ExtentSize;
        length = Math.Min(length, _header.ExtentSize - within);
        uint entry = (uint)_cache.Read(_catalog, extent);
        if (entry == Unallocated)
        {
            return new Extent(offset, length, ExtentKind.Absent);
        }

        long extentSectors = _header.ExtentSize / SectorSize;
        long bitmap = _catalog.Offset + _catalog.Length + entry * (extentSectors + _header.BitmapSectors) * SectorSize;
        int sector = (int)(within / SectorSize);
        int last = (int)((within + length - 1) / SectorSize);
        bool written = IsWritten(bitmap, sector);
        int end = sector + 1;
        while (end <= last && IsWritten(bitmap, end) == written)
        {
            end++;
        }

        length = Math.Min(length, end * (long)SectorSize - within);
        return written
            ? new Extent(offset, length, ExtentKind.Data, File, bitmap + _header.BitmapSectors * (long)SectorSize + within)
            : new Extent(offset, length, ExtentKind.Absent);
    }

    private bool IsWritten(long bitmap, int sector)
    {
        long words = Math.Max(1, _header.ExtentSize / SectorSize / BitsPerWord);
        return (_cache.Read(new EntryTable("sector bitmap", bitmap, words, sizeof(uint)), sector / BitsPerWord) >> (sector % BitsPerWord) & 1) != 0;
    }
}
