using System.Numerics;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Qcow2;

/// <summary>How the data clusters of a new image are allocated.</summary>
internal enum Preallocation
{
    /// <summary>When they are written.</summary>
    Off,

    /// <summary>Tables at once; the data clusters are a hole in the file.</summary>
    Metadata,

    /// <summary>Tables and room on the storage.</summary>
    Falloc,

    /// <summary>Tables and zeros written.</summary>
    Full,
}

/// <summary>The options of a new image, checked; complaints are qemu-img's.</summary>
internal sealed record CreateSettings
{
    private const int DefaultClusterSize = 65536;

    /// <summary>The header as it will be, but for what allocation decides (L1 offset, refcount table).</summary>
    public required Header Header { get; init; }

    /// <summary>The name of the external data file as given, or null.</summary>
    public string? DataFile => Header.DataFile;

    public required Preallocation Preallocation { get; init; }

    /// <summary>Null where the image is not to be encrypted.</summary>
    public NewEncryption? Encryption { get; init; }

    public static CreateSettings Read(CreateRequest request)
    {
        OptionReader options = new(request.Options, request.FileName);
        NewEncryption? encryption = NewEncryption.Read(request.Options, request.FileName);
        bool raw = options.Flag("data_file_raw", false);
        bool extended = options.Flag("extended_l2", false);
        string compat = options.Text("compat") ?? "1.1";
        int version = compat switch
        {
            "1.1" or "v3" => 3,
            "0.10" or "v2" => 2,
            _ => throw Invalid(request, $"Parameter 'version' does not accept value '{compat}'"),
        };
        string? backing = options.Text("backing_file");
        string? backingFormat = options.Text("backing_fmt");
        RefuseUnknownFormat(request, backingFormat);
        long clusterSize = options.Size("cluster_size", DefaultClusterSize);
        Preallocation preallocation = ReadPreallocation(request, options.Text("preallocation") ?? "off");
        bool lazy = options.Flag("lazy_refcounts", false);
        long refcountBits = options.Number("refcount_bits", 16);
        string compression = options.Text("compression_type") ?? "zlib";
        if (compression is not ("zlib" or "zstd"))
        {
            throw Invalid(request, $"Parameter 'compression-type' does not accept value '{compression}'");
        }

        _ = options.Flag("nocow", false);
        _ = options.Size("extent_size_hint", 0);
        string? dataFile = options.Text("data_file") is { } named ? ImagePath.WithoutFile(named) : null;
        CheckGeometry(request, version, extended, clusterSize);
        CheckCombination(request, version, backing, backingFormat, preallocation != Preallocation.Off && !extended, lazy);
        CheckRefcountWidth(request, version, refcountBits);
        CheckDataFile(request, version, dataFile, raw, backing);
        if (compression != "zlib" && version < 3)
        {
            throw Invalid(request, "Non-zlib compression type is only supported with compatibility level 1.1 and above (use version=v3 or greater)");
        }

        if (request.VirtualSize is < 0 or > long.MaxValue - 511)
        {
            throw TooLarge(request);
        }

        if (raw && preallocation == Preallocation.Off)
        {
            // The tables must say that the guest's bytes are the data file's, also where nothing was written yet.
            preallocation = Preallocation.Metadata;
        }

        Header header = new()
        {
            Version = version,
            ClusterBits = BitOperations.Log2((ulong)clusterSize),
            VirtualSize = (request.VirtualSize + 511) & ~511L,
            CryptMethod = encryption?.Method ?? CryptMethod.None,
            RefcountOrder = BitOperations.Log2((ulong)refcountBits),
            CompressionType = compression == "zstd" ? CompressionType.Zstd : CompressionType.Zlib,
            Incompatible = (dataFile is null ? 0 : IncompatibleFeatures.DataFile)
                | (compression == "zlib" ? 0 : IncompatibleFeatures.Compression)
                | (extended ? IncompatibleFeatures.ExtendedL2 : 0),
            Compatible = lazy ? CompatibleFeatures.LazyRefcounts : 0,
            Autoclear = raw ? AutoclearFeatures.DataFileRaw : 0,
            DataFile = dataFile,
            BackingFile = backing,
            BackingFormat = backing is null ? null : backingFormat,
        };
        long entries = new Layout(header).L1EntriesFor(header.VirtualSize);
        return entries > Header.MaxL1Bytes / sizeof(ulong)
            ? throw TooLarge(request)
            : new CreateSettings { Header = header with { L1Entries = (int)entries }, Preallocation = preallocation, Encryption = encryption };
    }

    private static Preallocation ReadPreallocation(CreateRequest request, string value) => value switch
    {
        "off" => Preallocation.Off,
        "metadata" => Preallocation.Metadata,
        "falloc" => Preallocation.Falloc,
        "full" => Preallocation.Full,
        _ => throw Invalid(request, $"Parameter 'preallocation' does not accept value '{value}'"),
    };

    private static void CheckGeometry(CreateRequest request, int version, bool extended, long clusterSize)
    {
        if (extended && version < 3)
        {
            throw Invalid(request, "Extended L2 entries are only supported with compatibility level 1.1 and above (use version=v3 or greater)");
        }

        if (clusterSize is < 1 << Header.MinClusterBits or > 1 << Header.MaxClusterBits || !BitOperations.IsPow2(clusterSize))
        {
            throw Invalid(request, "Cluster size must be a power of two between 512 and 2048k");
        }

        if (extended && clusterSize < (1 << Header.MinClusterBits) * Layout.SubclustersPerCluster)
        {
            throw Invalid(request, "Extended L2 entries are only supported with cluster sizes of at least 16384 bytes");
        }
    }

    private static void CheckRefcountWidth(CreateRequest request, int version, long refcountBits)
    {
        if (refcountBits is < 1 or > 64 || !BitOperations.IsPow2(refcountBits))
        {
            throw Invalid(request, "Refcount width must be a power of two and may not exceed 64 bits");
        }

        if (version < 3 && refcountBits != 16)
        {
            throw Invalid(request, "Different refcount widths than 16 bits require compatibility level 1.1 or above (use version=v3 or greater)");
        }
    }

    private static void CheckCombination(CreateRequest request, int version, string? backing, string? backingFormat, bool opaque, bool lazy)
    {
        if (backing is not null && opaque)
        {
            throw Invalid(request, "Backing file and preallocation can only be used at the same time if extended_l2 is on");
        }

        if (backing is null && backingFormat is not null)
        {
            throw Invalid(request, "Backing format cannot be used without backing file");
        }

        if (lazy && version < 3)
        {
            throw Invalid(request, "Lazy refcounts only supported with compatibility level 1.1 and above (use version=v3 or greater)");
        }
    }

    private static void CheckDataFile(CreateRequest request, int version, string? dataFile, bool raw, string? backing)
    {
        if (raw && dataFile is null)
        {
            throw Invalid(request, "data-file-raw requires data-file");
        }

        if (raw && backing is not null)
        {
            throw Invalid(request, "Backing file and data-file-raw cannot be used at the same time");
        }

        if (dataFile is not null && version < 3)
        {
            throw Invalid(request, "External data files are only supported with compatibility level 1.1 and above (use version=v3 or greater)");
        }
    }

    private static void RefuseUnknownFormat(CreateRequest request, string? format)
    {
        if (format is not null && !BackingDrivers.IsKnown(format))
        {
            throw Invalid(request, $"Parameter 'backing-fmt' does not accept value '{format}'");
        }
    }

    private static ImageException TooLarge(CreateRequest request) => new(ImageErrorKind.Limit, request.FileName,
        "The image size is too large for file format 'qcow2' (try using a larger cluster size)");

    private static ImageException Invalid(CreateRequest request, string message) => new(ImageErrorKind.InvalidArgument, request.FileName, message);
}
