using System.Numerics;
using ImageCluster.Imaging.Extents;
using ImageCluster.Imaging.Formats.BlockTables;
using ImageCluster.Imaging.Formats.Capabilities;

namespace ImageCluster.Imaging.Formats.Vpc;

/// <summary>A VHD open for reading: fixed, dynamic or differencing.</summary>
internal class VpcReader : BlockMapReader, IVerifiesParent
{
    private const int SectorSize = 512;
    private readonly VpcBlockMap? _table;
    private readonly VpcParent? _parent;

    protected VpcReader(OpenContext context, VpcFooter footer, long size, VpcDynamicHeader? header, IBlockMap map)
        : base(context, map, size, holesAreZero: header is null)
    {
        _table = map as VpcBlockMap;
        _parent = header?.Parent;
        Footer = footer;
        Backing = _parent is null ? null : new BackingReference(ParentLocator.Choose(context, _parent.Paths), FormatName);
    }

    public override string FormatName => "vpc";

    public override long Granularity => _table is null ? 1 : base.Granularity;

    public override long ClusterSize => _table is null ? 0 : Granularity;

    public override BackingReference? Backing { get; }

    protected VpcFooter Footer { get; }

    public static VpcReader Open(OpenContext context)
    {
        try
        {
            return Open(context, VpcFooter.Read(context.File, context.FileName));
        }
        catch
        {
            context.File.Dispose();
            throw;
        }
    }

    public void VerifyParent(IImageLayer parent)
    {
        if (_parent is not null && (parent as VpcReader)?.Footer.Id != _parent.Id)
        {
            throw new ImageException(ImageErrorKind.Corrupt, FileName,
                $"Parent '{parent.FileName}' is not the disk that this one was made on: its id is not {_parent.Id}");
        }
    }

    public override void Read(in Extent extent, Span<byte> buffer)
    {
        if (_table is null && extent.HostOffset > File.Length - VpcFooter.Length - buffer.Length)
        {
            throw new ImageException(ImageErrorKind.Truncated, FileName,
                $"Image is truncated: the disk has {VirtualSize:#,0} bytes, the file holds {File.Length - VpcFooter.Length:#,0} of them");
        }

        base.Read(extent, buffer);
    }

    /// <summary>In a differencing disk the sector bitmap says of each sector whether it is here or in the parent.</summary>
    protected override Extent Look(long offset, long length)
    {
        Extent found = base.Look(offset, length);
        if (_parent is null || found.Kind != ExtentKind.Data)
        {
            return found;
        }

        long within = offset % Blocks.BlockSize;
        long dataOffset = found.HostOffset - within;
        int sector = (int)(within / SectorSize);
        int last = (int)((within + found.Length - 1) / SectorSize);
        bool here = IsHere(dataOffset, sector);
        int end = sector + 1;
        while (end <= last && IsHere(dataOffset, end) == here)
        {
            end++;
        }

        length = Math.Min(found.Length, end * (long)SectorSize - within);
        return here ? found with { Length = length } : new Extent(offset, length, ExtentKind.Absent);
    }

    private static VpcReader Open(OpenContext context, (VpcFooter Footer, bool AtStart) found)
    {
        VpcFooter footer = found.Footer;
        string? sizeFrom = context.Options.GetValueOrDefault("force_size_calc");
        if (sizeFrom is not (null or "chs" or "current_size"))
        {
            throw new ImageException(ImageErrorKind.InvalidArgument, context.FileName, $"Invalid size calculation mode: '{sizeFrom}'");
        }

        long size = footer.DiskSize(sizeFrom);
        if (size > VpcFooter.MaxSectors * SectorSize)
        {
            throw new ImageException(ImageErrorKind.Limit, context.FileName, "VHD image is larger than 2040 GiB");
        }

        if (!found.AtStart && footer.Type is not (VpcFooter.TypeDynamic or VpcFooter.TypeDifferencing))
        {
            FixedBlockMap all = new(VpcDynamicHeader.DefaultBlockSize, 0);
            return context.Write ? new VpcWriter(context, footer, size, null, all) : new VpcReader(context, footer, size, null, all);
        }

        VpcDynamicHeader header = VpcDynamicHeader.Read(context.File, context.FileName, footer, size);
        VpcBlockMap map = new(context.File, footer, header);
        map.FindEnd();
        if (!context.Write)
        {
            return new VpcReader(context, footer, size, header, map);
        }

        return header.Parent is null
            ? new VpcWriter(context, footer, size, header, map)
            : throw new ImageException(ImageErrorKind.Unsupported, context.FileName, "Differencing VHD images can be read, not written");
    }

    private bool IsHere(long dataOffset, int sector)
    {
        ulong word = _table!.BitmapWord(dataOffset, sector / 64);
        return BitOperations.RotateLeft(word, sector % 64 + 1) % 2 == 1;
    }
}
