namespace ImageCluster.Imaging.Formats.Qcow2;

/// <summary>
/// A qcow2 header with its extensions and the backing file's name: everything in the first cluster (qemu docs/interop/qcow2.txt).
/// <see cref="HeaderReader"/> checks and reads it, <see cref="HeaderWriter"/> writes it. Immutable: a change is a copy.
/// </summary>
internal sealed record Header
{
    public const uint Magic = 0x514649FB;

    /// <summary>Length in bytes of a version 2 header.</summary>
    public const int Version2Length = 72;

    /// <summary>Length in bytes of the version 3 header that QEMU writes since the compression type was added.</summary>
    public const int Version3Length = 112;

    public const int MinClusterBits = 9;
    public const int MaxClusterBits = 21;

    /// <summary>Longest backing file name in bytes.</summary>
    public const int MaxBackingFileLength = 1023;

    /// <summary>QEMU's limits in bytes: 32 MiB for an L1 table, 8 MiB for the refcount table.</summary>
    public const long MaxL1Bytes = 32L << 20;
    public const long MaxRefcountTableBytes = 8L << 20;

    /// <summary>QEMU's limit of the length of any file in bytes.</summary>
    public const long MaxFileLength = 0x7FFF_FFFF_C000_0000;

    public const int MaxSnapshots = 65536;
    public const int MaxBitmaps = 65535;
    public const long MaxBitmapDirectoryBytes = MaxBitmaps * 1024L;

    /// <summary>2 or 3.</summary>
    public int Version { get; init; } = 3;

    /// <summary>9 to 21.</summary>
    public int ClusterBits { get; init; } = 16;

    /// <summary>Bytes, a multiple of 512 (QEMU counts in sectors and drops what is over).</summary>
    public long VirtualSize { get; init; }

    public CryptMethod CryptMethod { get; init; }

    /// <summary>Entries of the active L1 table.</summary>
    public int L1Entries { get; init; }

    public long L1Offset { get; init; }

    public long RefcountTableOffset { get; init; }

    public int RefcountTableClusters { get; init; } = 1;

    public int SnapshotCount { get; init; }

    public long SnapshotsOffset { get; init; }

    public IncompatibleFeatures Incompatible { get; init; }

    public CompatibleFeatures Compatible { get; init; }

    public AutoclearFeatures Autoclear { get; init; }

    /// <summary>Base-2 logarithm of the width of a refcount in bits, 0 to 6.</summary>
    public int RefcountOrder { get; init; } = 4;

    public CompressionType CompressionType { get; init; }

    /// <summary>Header fields behind those that this engine knows; kept.</summary>
    public byte[] UnknownFields { get; init; } = [];

    public string? BackingFile { get; init; }

    public string? BackingFormat { get; init; }

    /// <summary>The name of the external data file.</summary>
    public string? DataFile { get; init; }

    public CryptoHeaderPointer? CryptoHeader { get; init; }

    /// <summary>Null where there are none, or where the autoclear bit says that they are out of date.</summary>
    public BitmapsPointer? Bitmaps { get; init; }

    /// <summary>There is a bitmaps extension, but the autoclear bit says that it is out of date.</summary>
    public bool HasStaleBitmaps { get; init; }

    public IReadOnlyList<HeaderExtension> UnknownExtensions { get; init; } = [];

    public bool IsDirty => (Incompatible & IncompatibleFeatures.Dirty) != 0;

    public bool IsCorrupt => (Incompatible & IncompatibleFeatures.Corrupt) != 0;

    public bool HasDataFile => (Incompatible & IncompatibleFeatures.DataFile) != 0;

    public bool HasExtendedL2 => (Incompatible & IncompatibleFeatures.ExtendedL2) != 0;

    public bool HasLazyRefcounts => (Compatible & CompatibleFeatures.LazyRefcounts) != 0;

    public bool IsDataFileRaw => HasDataFile && (Autoclear & AutoclearFeatures.DataFileRaw) != 0;

    public BackingReference? Backing => string.IsNullOrEmpty(BackingFile)
        ? null
        : new BackingReference(BackingFile, string.IsNullOrEmpty(BackingFormat) ? null : BackingFormat);
}
