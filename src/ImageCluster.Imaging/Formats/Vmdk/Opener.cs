using System.Buffers.Binary;
using ImageCluster.Imaging.Compression;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Vmdk;

/// <summary>
/// Opens a disk: finds the descriptor and opens the extents that it names. An extent file is never taken for a descriptor, so
/// references cannot run in circles.
/// </summary>
internal sealed class Opener
{
    private const string NotVmdk = "Image not in VMDK format";
    private readonly OpenContext _context;
    private readonly List<VmdkExtent> _extents = [];
    private IClusterCodec? _codec;

    private Opener(OpenContext context) => _context = context;

    public static OpenedDisk Open(OpenContext context)
    {
        Opener opener = new(context);
        try
        {
            return opener.Open();
        }
        catch
        {
            opener._extents.ForEach(extent => extent.Dispose());
            opener._codec?.Dispose();
            context.File.Dispose();
            throw;
        }
    }

    /// <summary>The content id of a disk whose file is open, without opening its extents.</summary>
    public static uint ReadContentId(IBlockFile file) => FindDescriptor(file, out _).Parse(withExtents: false).ContentId;

    private OpenedDisk Open()
    {
        IBlockFile file = _context.File;
        DescriptorPlace place = FindDescriptor(file, out SparseHeader? header);
        if (header is not null && !IsDescriptorOnly(header))
        {
            Descriptor embedded = place.Parse(withExtents: false);
            _extents.Add(SparseOpener.Open(file, header, 0, "", _context.Write, Codec));
            return new OpenedDisk(_context, place, embedded, _extents[0].Compressed ? "streamOptimized" : "monolithicSparse", _extents, _codec);
        }

        Descriptor descriptor = place.Parse(withExtents: true);
        string createType = descriptor.CreateType ?? throw new ImageException(ImageErrorKind.Corrupt, file.Name, "invalid VMDK image descriptor");
        if (createType is not ("monolithicFlat" or "vmfs" or "vmfsSparse" or "seSparse" or "twoGbMaxExtentSparse" or "twoGbMaxExtentFlat"))
        {
            throw new ImageException(ImageErrorKind.Unsupported, file.Name,
                $"Unsupported image type '{(createType.Length <= 64 ? createType : createType[..64])}'");
        }

        long start = 0;
        foreach (ExtentLine line in descriptor.Extents)
        {
            VmdkExtent extent = OpenExtent(line, start);
            _extents.Add(extent);
            if (extent.Length > (VmdkLimits.MaxSectors * VmdkLimits.SectorSize) - start)
            {
                throw VmdkLimits.DiskTooLarge(file.Name);
            }

            start = extent.End;
        }

        return new OpenedDisk(_context, place, descriptor, createType, _extents, _codec);
    }

    // A sparse extent's header leads to its descriptor; anything else is taken for a descriptor.
    private static DescriptorPlace FindDescriptor(IBlockFile file, out SparseHeader? header)
    {
        header = null;
        switch (ReadMagic(file))
        {
            case SparseHeader.Magic:
                header = SparseOpener.ReadHeader(file);
                return DescriptorPlace.Embedded(file, header);
            case CowdHeader.Magic:
                throw DescriptorPlace.NoDescriptor(file);
            default:
                return DescriptorPlace.WholeFile(file);
        }
    }

    // QEMU's rule: a header without capacity only carries a descriptor.
    private static bool IsDescriptorOnly(SparseHeader header) => header.Capacity == 0 && header.DescriptorOffset != 0;

    private VmdkExtent OpenExtent(ExtentLine line, long start)
    {
        if (line.Type == ExtentType.Zero)
        {
            return new ZeroExtent(start, line.Sectors * VmdkLimits.SectorSize, _context.FileName) { ReadOnly = line.ReadOnly };
        }

        // An extent is a file beside the descriptor, also where its name has a colon.
        string name = _context.Locator.Combine(_context.FileName, ImagePath.HasProtocol(line.FileName) ? "./" + line.FileName : line.FileName);
        FileRole role = line.Type is ExtentType.Flat or ExtentType.Vmfs ? FileRole.Data : FileRole.Image;
        IBlockFile file = _context.Locator.Open(name, _context.Mode with { Write = _context.Write && !line.ReadOnly, Role = role });
        try
        {
            return line.Type switch
            {
                ExtentType.Flat or ExtentType.Vmfs => new FlatExtent(start, line.Sectors * VmdkLimits.SectorSize, file,
                    line.OffsetSectors * VmdkLimits.SectorSize, line.TypeName)
                {
                    ReadOnly = line.ReadOnly,
                },
                ExtentType.Sparse or ExtentType.VmfsSparse => OpenSparse(file, line, start),
                _ => SeSparseHeader.Read(file).ToExtent(file, start, line.TypeName),
            };
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    private SparseExtent OpenSparse(IBlockFile file, ExtentLine line, long start)
    {
        switch (ReadMagic(file))
        {
            case CowdHeader.Magic:
                return CowdHeader.Read(file).ToExtent(file, start, line.TypeName);
            case SparseHeader.Magic:
                break;
            default:
                throw new ImageException(ImageErrorKind.NotThisFormat, file.Name, NotVmdk);
        }

        SparseHeader header = SparseOpener.ReadHeader(file);
        if (IsDescriptorOnly(header))
        {
            throw new ImageException(ImageErrorKind.Corrupt, file.Name, "Extent file holds a descriptor instead of an extent");
        }

        return SparseOpener.Open(file, header, start, line.TypeName, _context.Write && !line.ReadOnly, Codec);
    }

    private static uint ReadMagic(IBlockFile file)
    {
        Span<byte> magic = stackalloc byte[sizeof(uint)];
        return file.Read(0, magic) == magic.Length
            ? BinaryPrimitives.ReadUInt32BigEndian(magic)
            : throw new ImageException(ImageErrorKind.NotThisFormat, file.Name, "File is too small, not a valid image");
    }

    private IClusterCodec Codec() => _codec ??= ClusterCodecs.Zlib(_context.FileName);
}
