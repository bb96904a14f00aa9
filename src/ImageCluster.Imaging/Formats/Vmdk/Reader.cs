using ImageCluster.Imaging.Extents;
using ImageCluster.Imaging.Formats.Capabilities;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Vmdk;

/// <summary>A VMware disk, opened for reading.</summary>
internal class Reader : IImageLayer, IImageStatus, ICheckable, IVerifiesParent
{
    private readonly OpenedDisk _disk;
    private readonly VmdkExtent[] _extents;

    public Reader(OpenedDisk disk)
    {
        _disk = disk;
        _extents = [.. disk.Extents];
        ContentId = disk.Descriptor.ContentId;
        VirtualSize = _extents.Length == 0 ? 0 : _extents[^1].End;
        Granularity = _extents.Aggregate(1L, (unit, extent) => Math.Max(unit, PowerOfTwo(extent.GrainBytes)));
        Backing = disk.Descriptor.ParentFileNameHint is { } parent ? new BackingReference(parent, "vmdk") : null;
    }

    public string FormatName => "vmdk";

    public string FileName => _disk.Context.FileName;

    public long VirtualSize { get; }

    public long Granularity { get; }

    public BackingReference? Backing { get; }

    /// <inheritdoc/>
    /// <remarks>The descriptor's file and the extents' own.</remarks>
    public long AllocatedBytes
    {
        get
        {
            IBlockFile main = _disk.Context.File;
            return main.AllocatedBytes + _extents.Where(extent => extent.File is not null && extent.File != main).Sum(static extent => extent.File!.AllocatedBytes);
        }
    }

    /// <inheritdoc/>
    /// <remarks>That of the extents where all are of one kind.</remarks>
    public long ClusterSize => _extents.Length > 0 && _extents.All(extent => extent.GrainBytes == _extents[0].GrainBytes && extent.Compressed == _extents[0].Compressed)
        ? _extents[0].GrainBytes
        : 0;

    /// <summary>What the content is known by; a child repeats it.</summary>
    public uint ContentId { get; protected set; }

    public IReadOnlyList<VmdkExtent> Extents => _extents;

    protected OpenedDisk Disk => _disk;

    public Extent Map(long offset, long length)
    {
        VmdkExtent extent = _extents[FindExtent(offset)];
        return extent.Map(offset, Math.Min(length, extent.End - offset));
    }

    public void Read(in Extent extent, Span<byte> buffer) => _extents[FindExtent(extent.Start)].Read(extent, buffer);

    public FormatSpecificInfo? DescribeSpecific() => new FormatSpecificInfo("vmdk")
        .Add("cid", (long)ContentId)
        .Add("parent-cid", (long)_disk.Descriptor.ParentContentId)
        .Add("create-type", _disk.CreateType)
        .Add("extents", _extents.Select(Describe).ToList());

    public CheckReport Check(CheckRepair repair) => Checker.Check(this, repair);

    public void VerifyParent(IImageLayer parent)
    {
        if (parent is not Reader disk)
        {
            throw new ImageException(ImageErrorKind.Corrupt, FileName, $"Backing file '{parent.FileName}' is no vmdk image, so it cannot be the parent");
        }

        if (disk.ContentId != _disk.Descriptor.ParentContentId)
        {
            throw new ImageException(ImageErrorKind.Corrupt, FileName,
                $"Backing file '{parent.FileName}' has CID {disk.ContentId:x8}, the image was made on {_disk.Descriptor.ParentContentId:x8}")
            {
                Hint = "The parent was written to, or replaced, after this image was made.",
            };
        }
    }

    public virtual void Dispose() => _disk.Dispose();

    /// <summary>The number of the extent in which a guest offset lies.</summary>
    protected int FindExtent(long offset)
    {
        int low = 0;
        int high = _extents.Length - 1;
        while (low < high)
        {
            int middle = (low + high + 1) / 2;
            if (_extents[middle].Start <= offset)
            {
                low = middle;
            }
            else
            {
                high = middle - 1;
            }
        }

        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(offset, VirtualSize);
        return low;
    }

    private static FormatSpecificInfo Describe(VmdkExtent extent) => new FormatSpecificInfo()
        .Add("compressed", extent.Compressed ? true : null)
        .Add("virtual-size", extent.Length)
        .Add("filename", extent.File?.Name)
        .Add("cluster-size", extent.GrainBytes > 0 ? extent.GrainBytes : null)
        .Add("format", extent.LineType);

    // A grain of an odd number of sectors is legal to QEMU; the largest power of two that divides it serves as the unit then.
    private static long PowerOfTwo(long grain) => grain & -grain;
}
