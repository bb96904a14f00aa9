using System.Buffers.Binary;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Qcow2;

/// <summary>
/// Reads and checks a header. The checks, their order, limits and words are those of QEMU's qcow2_do_open; what QEMU takes, this takes.
/// </summary>
internal ref struct HeaderReader
{
    private const int FixedLength = Header.Version3Length;

    /// <summary>Enough for what headers hold in practice; more is read when an extension needs it.</summary>
    private const int FirstRead = 4096;

    private const int MaxBackingFormatLength = 16;

    private readonly IBlockFile _file;
    private readonly bool _forCheck;
    private byte[] _bytes;
    private Header _header;
    private ReadOnlySpan<byte> _featureTable;

    private HeaderReader(IBlockFile file, bool forCheck)
    {
        _file = file;
        _forCheck = forCheck;
        _bytes = new byte[FirstRead];
        _header = new Header();
        file.ReadPadded(0, _bytes);
    }

    /// <summary>Reads the header of <paramref name="file"/>.</summary>
    /// <param name="file">The image's file.</param>
    /// <param name="forCheck">Leave out the checks of what a repair could mend: refcount table and snapshot table.</param>
    /// <exception cref="ImageException">It is not a qcow2 header, or one that QEMU would refuse too.</exception>
    public static Header Read(IBlockFile file, bool forCheck = false)
    {
        HeaderReader reader = new(file, forCheck);
        reader.ReadFields();
        return reader._header;
    }

    private readonly int ClusterSize => 1 << _header.ClusterBits;

    private void ReadFields()
    {
        if (UInt32(0) != Header.Magic)
        {
            throw Failure(ImageErrorKind.NotThisFormat, "Image is not in qcow2 format");
        }

        uint version = UInt32(4);
        if (version is < 2 or > 3)
        {
            throw Failure(ImageErrorKind.Unsupported, $"Unsupported qcow2 version {version}");
        }

        uint clusterBits = UInt32(20);
        if (clusterBits is < Header.MinClusterBits or > Header.MaxClusterBits)
        {
            throw Failure(ImageErrorKind.Limit, $"Unsupported cluster size: 2^{clusterBits}");
        }

        _header = _header with { Version = (int)version, ClusterBits = (int)clusterBits };
        int headerLength = ReadLength();
        ulong backingOffset = UInt64(8);
        if (backingOffset > (ulong)ClusterSize)
        {
            throw Failure(ImageErrorKind.Corrupt, "Invalid backing file offset");
        }

        int extensionsEnd = backingOffset == 0 ? ClusterSize : (int)backingOffset;
        if (version == 3)
        {
            ReadFeatures(headerLength, extensionsEnd);
        }

        ReadGeometry();
        ReadExtensions(headerLength, extensionsEnd, featureTableOnly: false);
        ReadBackingFile((int)backingOffset, UInt32(16));
    }

    private int ReadLength()
    {
        uint length = _header.Version == 2 ? Header.Version2Length : UInt32(100);
        if (length < 104 && _header.Version == 3)
        {
            throw Failure(ImageErrorKind.Corrupt, "qcow2 header too short");
        }

        if (length > (uint)ClusterSize)
        {
            throw Failure(ImageErrorKind.Corrupt, "qcow2 header exceeds cluster size");
        }

        if (length > FixedLength)
        {
            _header = _header with { UnknownFields = Bytes(FixedLength, (int)length - FixedLength).ToArray() };
        }

        return (int)length;
    }

    private void ReadFeatures(int headerLength, int extensionsEnd)
    {
        byte compression = headerLength > 104 ? _bytes[104] : (byte)0;
        _header = _header with
        {
            Incompatible = (IncompatibleFeatures)UInt64(72),
            Compatible = (CompatibleFeatures)UInt64(80),
            Autoclear = (AutoclearFeatures)UInt64(88),
            CompressionType = (CompressionType)compression,
        };
        if (compression > (byte)CompressionType.Zstd)
        {
            throw Failure(ImageErrorKind.Unsupported, $"qcow2: unknown compression type: {compression}");
        }

        bool flagged = (_header.Incompatible & IncompatibleFeatures.Compression) != 0;
        if (flagged != (_header.CompressionType != CompressionType.Zlib))
        {
            throw Failure(ImageErrorKind.Corrupt,
                $"qcow2: Compression type incompatible feature bit must {(flagged ? "not " : "")}be set");
        }

        ulong unknown = (ulong)(_header.Incompatible & ~IncompatibleFeatures.Known);
        if (unknown != 0)
        {
            try
            {
                ReadExtensions(headerLength, extensionsEnd, featureTableOnly: true);
            }
            catch (ImageException)
            {
                // The names are only for the message; the features are refused all the same.
            }

            throw Failure(ImageErrorKind.Unsupported, $"Unsupported qcow2 feature(s): {FeatureNames.Describe(_featureTable, unknown)}");
        }

        uint refcountOrder = UInt32(96);
        if (_header.HasExtendedL2 && _header.ClusterBits < Header.MinClusterBits + 5)
        {
            throw Failure(ImageErrorKind.Limit, $"Unsupported subcluster size: {ClusterSize >> 5}");
        }

        if (refcountOrder > 6)
        {
            throw Failure(ImageErrorKind.Limit, "Reference count entry width too large; may not exceed 64 bits");
        }

        _header = _header with { RefcountOrder = (int)refcountOrder };
    }

    private void ReadGeometry()
    {
        uint crypt = UInt32(32);
        uint tableClusters = UInt32(56);
        if (tableClusters == 0 && !_forCheck)
        {
            throw Failure(ImageErrorKind.Corrupt, "Image does not contain a reference count table");
        }

        CheckTable(UInt64(48), tableClusters, ClusterSize, Header.MaxRefcountTableBytes, "Reference count table");
        uint snapshots = UInt32(60);
        ulong snapshotsOffset = UInt64(64);
        if (!_forCheck)
        {
            CheckTable(snapshotsOffset, snapshots, SnapshotTable.EntryLength, Header.MaxSnapshots * (long)SnapshotTable.EntryLength, "Snapshot table");
        }

        uint l1Entries = UInt32(36);
        CheckTable(UInt64(40), l1Entries, sizeof(ulong), Header.MaxL1Bytes, "Active L1 table");
        ulong size = UInt64(24);
        Layout layout = new(_header);
        if (size > ulong.MaxValue - (ulong)layout.L2TableSpan)
        {
            throw Failure(ImageErrorKind.Limit, "Could not refresh total sector count: File too large");
        }

        ulong needed = (size >> layout.L2TableShift) + ((size & ((1UL << layout.L2TableShift) - 1)) == 0 ? 0UL : 1UL);
        if (needed > int.MaxValue || size > long.MaxValue)
        {
            throw Failure(ImageErrorKind.Limit, "Image is too big");
        }

        if (l1Entries < needed)
        {
            throw Failure(ImageErrorKind.Corrupt, "L1 table is too small");
        }

        if (crypt > (uint)CryptMethod.Luks)
        {
            throw Failure(ImageErrorKind.Unsupported, $"Unsupported encryption method {(int)crypt}");
        }

        _header = _header with
        {
            VirtualSize = (long)size & ~511L,
            CryptMethod = (CryptMethod)crypt,
            L1Entries = (int)l1Entries,
            L1Offset = (long)UInt64(40),
            RefcountTableOffset = (long)UInt64(48),
            RefcountTableClusters = (int)tableClusters,
            SnapshotCount = (int)Math.Min(snapshots, int.MaxValue),
            SnapshotsOffset = (long)snapshotsOffset,
        };
    }

    private readonly void CheckTable(ulong offset, uint entries, int entryLength, long maxBytes, string name)
    {
        if (entries > maxBytes / entryLength)
        {
            throw Failure(ImageErrorKind.Limit, $"{name} too large");
        }

        if ((ulong)(long.MaxValue - entries * (long)entryLength) < offset || (offset & (ulong)(ClusterSize - 1)) != 0)
        {
            throw Failure(ImageErrorKind.Corrupt, $"{name} offset invalid");
        }
    }

    private void ReadExtensions(int offset, int end, bool featureTableOnly)
    {
        List<HeaderExtension>? unknown = null;
        while (offset < end)
        {
            uint magic = UInt32(offset);
            uint length = UInt32(offset + 4);
            offset += 8;
            if (offset > end || length > (uint)(end - offset))
            {
                throw Failure(ImageErrorKind.Corrupt, "Header extension too large");
            }

            if (magic == HeaderExtensionMagic.End)
            {
                break;
            }

            ReadOnlySpan<byte> data = Bytes(offset, (int)length);
            if (magic == HeaderExtensionMagic.FeatureNames)
            {
                _featureTable = data;
            }
            else if (!featureTableOnly && !ReadExtension(magic, data))
            {
                (unknown ??= []).Add(new HeaderExtension(magic, data.ToArray()));
            }

            offset += ((int)length + 7) & ~7;
        }

        if (unknown is not null)
        {
            _header = _header with { UnknownExtensions = unknown };
        }
    }

    // False for one that is not known.
    private bool ReadExtension(uint magic, ReadOnlySpan<byte> data)
    {
        switch (magic)
        {
            case HeaderExtensionMagic.BackingFormat:
                if (data.Length >= MaxBackingFormatLength)
                {
                    throw Failure(ImageErrorKind.Corrupt, $"ERROR: ext_backing_format: len={data.Length} too large (>={MaxBackingFormatLength})");
                }

                _header = _header with { BackingFormat = Text(data) };
                return true;
            case HeaderExtensionMagic.DataFile:
                _header = _header with { DataFile = Text(data) };
                return true;
            case HeaderExtensionMagic.CryptoHeader:
                ReadCryptoHeader(data);
                return true;
            case HeaderExtensionMagic.Bitmaps:
                ReadBitmaps(data);
                return true;
            default:
                return false;
        }
    }

    private void ReadCryptoHeader(ReadOnlySpan<byte> data)
    {
        if (_header.CryptMethod != CryptMethod.Luks)
        {
            throw Failure(ImageErrorKind.Corrupt, "CRYPTO header extension only expected with LUKS encryption method");
        }

        if (data.Length != 16)
        {
            throw Failure(ImageErrorKind.Corrupt, $"CRYPTO header extension size {data.Length}, but expected size 16");
        }

        ulong offset = BinaryPrimitives.ReadUInt64BigEndian(data);
        ulong length = BinaryPrimitives.ReadUInt64BigEndian(data[8..]);
        if ((offset & (ulong)(ClusterSize - 1)) != 0)
        {
            throw Failure(ImageErrorKind.Corrupt, $"Encryption header offset '{offset}' is not a multiple of cluster size '{ClusterSize}'");
        }

        if (offset > long.MaxValue || length > long.MaxValue - offset)
        {
            throw Failure(ImageErrorKind.Corrupt, $"Encryption header at offset {offset}, {length} bytes long, is out of range");
        }

        _header = _header with { CryptoHeader = new CryptoHeaderPointer((long)offset, (long)length) };
    }

    private void ReadBitmaps(ReadOnlySpan<byte> data)
    {
        if (data.Length != 24)
        {
            throw Failure(ImageErrorKind.Corrupt, "bitmaps_ext: Invalid extension length");
        }

        if ((_header.Autoclear & AutoclearFeatures.Bitmaps) == 0)
        {
            // A program without bitmap support wrote to the image since: they are out of date, QEMU ignores them too.
            _header = _header with { HasStaleBitmaps = true };
            return;
        }

        uint count = BinaryPrimitives.ReadUInt32BigEndian(data);
        ulong size = BinaryPrimitives.ReadUInt64BigEndian(data[8..]);
        ulong offset = BinaryPrimitives.ReadUInt64BigEndian(data[16..]);
        if (BinaryPrimitives.ReadUInt32BigEndian(data[4..]) != 0)
        {
            throw Failure(ImageErrorKind.Corrupt, "bitmaps_ext: Reserved field is not zero");
        }

        if (count > Header.MaxBitmaps)
        {
            throw Failure(ImageErrorKind.Limit,
                $"bitmaps_ext: Image has {count} bitmaps, exceeding the QEMU supported maximum of {Header.MaxBitmaps}");
        }

        if (count == 0)
        {
            throw Failure(ImageErrorKind.Corrupt, "found bitmaps extension with zero bitmaps");
        }

        if ((offset & (ulong)(ClusterSize - 1)) != 0)
        {
            throw Failure(ImageErrorKind.Corrupt, "bitmaps_ext: invalid bitmap directory offset");
        }

        if (size > Header.MaxBitmapDirectoryBytes)
        {
            throw Failure(ImageErrorKind.Limit,
                $"bitmaps_ext: bitmap directory size ({size}) exceeds the maximum supported size ({Header.MaxBitmapDirectoryBytes})");
        }

        _header = _header with { Bitmaps = new BitmapsPointer((int)count, (long)offset, (long)size) };
    }

    private void ReadBackingFile(int offset, uint length)
    {
        if (offset == 0)
        {
            return;
        }

        if (length > Math.Min(Header.MaxBackingFileLength, ClusterSize - offset))
        {
            throw Failure(ImageErrorKind.Corrupt, "Backing file name too long");
        }

        _header = _header with { BackingFile = Text(Bytes(offset, (int)length)) };
    }

    private uint UInt32(int offset) => BinaryPrimitives.ReadUInt32BigEndian(Bytes(offset, sizeof(uint)));

    private ulong UInt64(int offset) => BinaryPrimitives.ReadUInt64BigEndian(Bytes(offset, sizeof(ulong)));

    // A part of the header; what the file does not have is zeros.
    private ReadOnlySpan<byte> Bytes(int offset, int length)
    {
        if (offset + length > _bytes.Length)
        {
            int size = Math.Min(Math.Max(offset + length, _bytes.Length * 16), (1 << Header.MaxClusterBits) + FirstRead);
            _bytes = new byte[size];
            _file.ReadPadded(0, _bytes);
        }

        return _bytes.AsSpan(offset, length);
    }

    // Names end at their length or, as C strings, at a zero byte.
    private static string Text(ReadOnlySpan<byte> bytes)
    {
        int end = bytes.IndexOf((byte)0);
        return NameText.GetString(end < 0 ? bytes : bytes[..end]);
    }

    private readonly ImageException Failure(ImageErrorKind kind, string message) => new(kind, _file.Name, message);
}
