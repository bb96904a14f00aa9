using System.Buffers;
using ImageCluster.Imaging.Compression;
using ImageCluster.Imaging.Extents;
using ImageCluster.Imaging.Formats.Capabilities;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Qcow2;

/// <summary>An open qcow2 image that answers for its own file: reading. The writable layer builds on it.</summary>
internal class Qcow2Image : IImageLayer, IImageStatus, ISnapshots, ICheckable, IBitmaps, IMergeTarget
{
    private const int SectorSize = 512;

    private readonly CompressedClusters _compressed;
    private readonly Lazy<bool> _isPreallocated;
    private Lazy<IReadOnlyList<Snapshot>> _snapshots = null!;
    private Lazy<IReadOnlyList<PersistentBitmap>> _bitmaps = null!;

    /// <param name="metadata">The image's state, owned from here on.</param>
    /// <param name="fileName">As the caller gave it.</param>
    public Qcow2Image(Metadata metadata, string fileName)
    {
        Metadata = metadata;
        FileName = fileName;
        Codec = metadata.Header.CompressionType == CompressionType.Zstd ? ClusterCodecs.Zstd(fileName) : ClusterCodecs.Deflate(fileName);
        _compressed = new CompressedClusters(metadata.File, metadata.Layout, Codec);
        _isPreallocated = new(() => metadata.Header.CryptMethod == CryptMethod.None && PreallocationDetector.Detect(metadata));
        ForgetDirectories();
    }

    public string FormatName => "qcow2";

    public string FileName { get; }

    public long VirtualSize => Metadata.Header.VirtualSize;

    public virtual long Granularity => Metadata.Layout.ClusterSize;

    public BackingReference? Backing => Metadata.Header.Backing;

    /// <summary>Header, tables and files, for what changes or checks the image.</summary>
    public Metadata Metadata { get; }

    /// <summary>How the clusters are encrypted; null where they are not.</summary>
    public ImageEncryption? Encryption { get; init; }

    /// <summary>What the clusters are encrypted with; null where they are not, or where no password was given.</summary>
    public ISectorCipher? Cipher => Encryption?.Cipher;

    /// <summary>Why data cannot be read though the image can be described; null where it can.</summary>
    public ImageException? Unreadable { get; init; }

    /// <summary>Internal snapshots in the order of the table, read when they are first asked for.</summary>
    public IReadOnlyList<Snapshot> Snapshots => _snapshots.Value;

    /// <summary>Persistent bitmaps, read when they are first asked for.</summary>
    public virtual IReadOnlyList<PersistentBitmap> Bitmaps => _bitmaps.Value;

    /// <summary>Of the image's own file: what an external data file takes is told of by nobody (as with qemu-img).</summary>
    public long AllocatedBytes => Metadata.File.AllocatedBytes;

    public long ClusterSize => Metadata.Layout.ClusterSize;

    public bool IsDirty => Metadata.Header.IsDirty;

    public bool IsEncrypted => Metadata.Header.CryptMethod != CryptMethod.None;

    /// <summary>
    /// 0 for what one process must write: version 2 (which has no mark that tells of foreign writes), an encrypted image, one with persistent bitmaps (which must
    /// record what is written), and a file that cannot grow.
    /// </summary>
    public long MergeShardLength =>
        Metadata.Header is { Version: >= 3, CryptMethod: CryptMethod.None, Bitmaps: null, HasStaleBitmaps: false } && !Metadata.File.HasFixedSize
            ? FillShape.ShardLengthOf(Metadata.Layout)
            : 0;

    public bool IsMerging => Metadata.Header.Version >= 3 && (Metadata.Header.Autoclear & AutoclearFeatures.Merging) != 0;

    public IReadOnlyList<ImageSnapshot> ListSnapshots() =>
    [
        .. Snapshots.Select(static s => new ImageSnapshot
        {
            Id = s.Id,
            Name = s.Name,
            VmStateSize = s.VmStateSize,
            DateSeconds = s.DateSeconds,
            DateNanoseconds = (int)s.DateNanoseconds,
            VmClockNanoseconds = s.VmClockNanoseconds,
            InstructionCount = s.InstructionCount == ulong.MaxValue ? null : s.InstructionCount,
            DiskSize = s.DiskSize,
        }),
    ];

    public bool SupportsBitmaps => Metadata.Header.Version >= 3;

    public virtual IReadOnlyList<ImageBitmap> ListBitmaps() => BitmapReader.List(Bitmaps);

    public virtual IEnumerable<(long Offset, long Length)> ReadBitmap(string name) => BitmapReader.Ranges(Metadata, Bitmaps, name);

    public IImageLayer OpenSnapshot(string id)
    {
        Snapshot snapshot = Snapshots.First(s => s.Id == id);
        long entries = snapshot.L1Entries;
        SnapshotTable.CheckPlace(snapshot, Metadata.Layout, FileName);
        return new SnapshotLayer(this, Metadata.ReadL1(Metadata.File, snapshot.L1Offset, (int)entries));
    }

    public Extent Map(long offset, long length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, VirtualSize - offset);
        Extent found = new ClusterMap(Metadata, Metadata.L1).Find(offset, length);
        return found.Kind == ExtentKind.Data && _isPreallocated.Value ? LookForHole(found) : found;
    }

    public void Read(in Extent extent, Span<byte> buffer) => Read(extent, buffer, new ClusterMap(Metadata, Metadata.L1));

    /// <summary>As <see cref="Read(in Extent, Span{byte})"/>, for an extent that another map of the image (a snapshot's) gave.</summary>
    public void Read(in Extent extent, Span<byte> buffer, in ClusterMap map)
    {
        if (Unreadable is not null)
        {
            throw new ImageException(Unreadable.Kind, Unreadable.File, Unreadable.Message, Unreadable) { Hint = Unreadable.Hint };
        }

        if (extent.Kind == ExtentKind.Data)
        {
            ReadData(extent.Start, extent.HostOffset, buffer);
        }
        else
        {
            ReadCompressed(map, extent.Start, buffer);
        }
    }

    /// <exception cref="ImageException">A repair is asked for, but the image is open for reading only.</exception>
    public virtual CheckReport Check(CheckRepair repair) => repair == CheckRepair.None
        ? Checker.Run(Metadata, repair)
        : throw new ImageException(ImageErrorKind.InvalidArgument, FileName, "The image is open for reading only and cannot be repaired");

    public FormatSpecificInfo? DescribeSpecific() => Describer.Describe(this);

    public virtual void Dispose()
    {
        Encryption?.Dispose();
        _compressed.Dispose();
        Metadata.Dispose();
    }

    /// <summary>The tables of snapshots and bitmaps changed: they are read again when they are next asked for.</summary>
    protected void ForgetDirectories()
    {
        _snapshots = new(() => SnapshotTable.Read(Metadata.File, Metadata.Header));
        _bitmaps = new(() => BitmapReader.Read(Metadata));
    }

    /// <summary>Compresses and inflates this image's clusters.</summary>
    protected IClusterCodec Codec { get; }

    /// <summary>Room in the file was reused: nothing that was inflated before is to be trusted.</summary>
    protected void ForgetInflated() => _compressed.Forget();

    // Tables that were made ahead call data what nothing has been written to yet: the file knows.
    private static Extent LookForHole(in Extent extent)
    {
        IBlockFile file = extent.File!;
        long inFile = file.Length - extent.HostOffset;
        if (inFile <= 0)
        {
            // Not a hole: the file was cut short, and reading says so.
            return extent;
        }

        (long length, bool isHole) = file.NextRange(extent.HostOffset, Math.Min(inFile, extent.Length));
        return extent with { Length = length, Kind = isHole ? ExtentKind.Zero : ExtentKind.Data, IsHole = isHole };
    }

    private void ReadData(long guestOffset, long hostOffset, Span<byte> buffer)
    {
        if (Cipher is null)
        {
            ReadHost(guestOffset, hostOffset, buffer);
            return;
        }

        int before = (int)(guestOffset & (SectorSize - 1));
        int length = (before + buffer.Length + SectorSize - 1) & -SectorSize;
        if (length == buffer.Length)
        {
            ReadHost(guestOffset, hostOffset, buffer);
            Cipher.Decrypt(guestOffset, hostOffset, buffer);
            return;
        }

        byte[] sectors = ArrayPool<byte>.Shared.Rent(length);
        Span<byte> whole = sectors.AsSpan(0, length);
        ReadHost(guestOffset - before, hostOffset - before, whole);
        Cipher.Decrypt(guestOffset - before, hostOffset - before, whole);
        whole.Slice(before, buffer.Length).CopyTo(buffer);
        ArrayPool<byte>.Shared.Return(sectors);
    }

    private void ReadHost(long guestOffset, long hostOffset, Span<byte> buffer)
    {
        int read = Metadata.DataFile.Read(hostOffset, buffer);
        if (read == buffer.Length)
        {
            return;
        }

        // The cluster in which the file ends is padded with zeros; one that starts behind the end is missing.
        long end = Metadata.DataFile.Length;
        long missing = Math.Max(RoundUp(end), hostOffset & -Metadata.Layout.ClusterSize);
        if (missing >= end && missing < hostOffset + buffer.Length)
        {
            throw new ImageException(ImageErrorKind.Truncated, Metadata.DataFile.Name,
                $"Image is truncated: the cluster of guest offset 0x{guestOffset + Math.Max(0, missing - hostOffset):x} at host offset 0x{missing:x} lies beyond the end of the file at 0x{end:x}");
        }

        buffer[read..].Clear();
    }

    private long RoundUp(long offset) => (offset + Metadata.Layout.ClusterSize - 1) & -Metadata.Layout.ClusterSize;

    private void ReadCompressed(in ClusterMap map, long guestOffset, Span<byte> buffer)
    {
        while (buffer.Length > 0)
        {
            int inCluster = Metadata.Layout.OffsetInCluster(guestOffset);
            int length = Math.Min(buffer.Length, Metadata.Layout.ClusterSize - inCluster);
            ulong entry = map.EntryAt(guestOffset);
            if ((entry & Layout.CompressedFlag) == 0)
            {
                throw new ImageException(ImageErrorKind.Corrupt, FileName, $"The compressed cluster of guest offset 0x{guestOffset:x} was replaced while it was read");
            }

            _compressed.Read(entry, inCluster, buffer[..length]);
            buffer = buffer[length..];
            guestOffset += length;
        }
    }
}
