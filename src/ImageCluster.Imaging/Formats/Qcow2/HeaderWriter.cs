using System.Buffers.Binary;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Qcow2;

/// <summary>Writes a header with its extensions and the backing file's name, byte for byte as QEMU's qcow2_update_header does.</summary>
internal ref struct HeaderWriter
{
    /// <summary>QEMU leaves the feature names out of clusters of 4 KiB and less, where they would leave no room for a backing file's name.</summary>
    private const int MaxBitsWithoutFeatureNames = 12;

    /// <summary>What storage writes whole or not at all.</summary>
    private const int SectorSize = 512;

    private readonly Span<byte> _cluster;
    private readonly string? _file;
    private int _at;

    private HeaderWriter(Span<byte> cluster, int start, string? file)
    {
        _cluster = cluster;
        _at = start;
        _file = file;
    }

    /// <summary>The image's first cluster, whole.</summary>
    /// <param name="header">What it is to say.</param>
    /// <param name="file">The file's name, for the complaint.</param>
    /// <exception cref="ImageException">It does not fit into one cluster.</exception>
    public static byte[] Write(Header header, string? file = null)
    {
        byte[] cluster = new byte[1 << header.ClusterBits];
        Write(header, cluster, file);
        return cluster;
    }

    /// <summary>
    /// Makes a new file an image, durably: the first sector, which is what it is known by, is written when all else is on stable storage.
    /// </summary>
    /// <param name="file">The image's file.</param>
    /// <param name="cluster">What <see cref="Write(Header, string?)"/> made.</param>
    public static void WriteLast(IBlockFile file, ReadOnlySpan<byte> cluster)
    {
        if (cluster.Length > SectorSize)
        {
            file.Write(SectorSize, cluster[SectorSize..]);
        }

        file.Flush();
        file.Write(0, cluster[..SectorSize]);
        file.Flush();
    }

    /// <summary>
    /// Replaces an image's header, durably. Whatever the instant of a crash, the file has the one, the other, or a shorter one that says the same as the
    /// other. (Only of extensions of more than a sector, which nobody writes, that cannot be said.)
    /// </summary>
    /// <param name="file">The image's file.</param>
    /// <param name="header">The new header.</param>
    /// <exception cref="ImageException">It does not fit into one cluster; nothing was changed.</exception>
    public static void Replace(IBlockFile file, Header header)
    {
        byte[] cluster = Write(header, file.Name);
        int end = EndOf(cluster);
        if (end > SectorSize)
        {
            byte[] before = new byte[cluster.Length];
            _ = file.Read(0, before);
            if (EndOf(before) > SectorSize)
            {
                WriteBridge(file, header, cluster.Length, Math.Max(end, EndOf(before)));
            }

            file.Write(SectorSize, cluster.AsSpan(SectorSize, end - SectorSize));
            file.Flush();
        }

        file.Write(0, cluster.AsSpan(0, SectorSize));
        file.Flush();
        int rest = Math.Max(end, SectorSize);
        if (cluster.Length > rest)
        {
            file.Write(rest, cluster.AsSpan(rest));
            file.Flush();
        }
    }

    // What stands behind the first sector is about to change, and both headers need it: a header comes between that does without. It leaves out the feature
    // names, which are for people, and has the backing file's name in the sector, or behind all that either of the two has.
    private static void WriteBridge(IBlockFile file, Header header, int clusterSize, int free)
    {
        byte[] bridge = new byte[clusterSize];
        try
        {
            Write(header, bridge, file.Name, withFeatureNames: false);
            if (EndOf(bridge) > SectorSize)
            {
                bridge.AsSpan().Clear();
                Write(header, bridge, file.Name, withFeatureNames: false, nameAt: free);
            }
        }
        catch (ImageException e) when (e.Kind == ImageErrorKind.NoSpace)
        {
            return;
        }

        if (bridge.AsSpan(SectorSize, free - SectorSize).ContainsAnyExcept((byte)0))
        {
            return;
        }

        if (EndOf(bridge) > free)
        {
            file.Write(free, bridge.AsSpan(free));
            file.Flush();
        }

        file.Write(0, bridge.AsSpan(0, SectorSize));
        file.Flush();
    }

    private static int EndOf(ReadOnlySpan<byte> cluster) => cluster.LastIndexOfAnyExcept((byte)0) + 1;

    private static void Write(Header header, Span<byte> cluster, string? file, bool withFeatureNames = true, int nameAt = 0)
    {
        WriteFields(header, cluster);
        HeaderWriter writer = new(cluster, header.Version == 2 ? Header.Version2Length : Header.Version3Length, file);
        header.UnknownFields.CopyTo(writer.Take(header.UnknownFields.Length));
        writer.AddText(HeaderExtensionMagic.BackingFormat, header.BackingFormat);
        if (header.HasDataFile)
        {
            writer.AddText(HeaderExtensionMagic.DataFile, header.DataFile);
        }

        if (header.CryptoHeader is { } crypto)
        {
            Span<byte> data = writer.Add(HeaderExtensionMagic.CryptoHeader, 16);
            BinaryPrimitives.WriteInt64BigEndian(data, crypto.Offset);
            BinaryPrimitives.WriteInt64BigEndian(data[8..], crypto.Length);
        }

        if (withFeatureNames && header.Version >= 3 && header.ClusterBits > MaxBitsWithoutFeatureNames)
        {
            FeatureNames.Write(writer.Add(HeaderExtensionMagic.FeatureNames, FeatureNames.Length));
        }

        if (header.Bitmaps is { } bitmaps)
        {
            Span<byte> data = writer.Add(HeaderExtensionMagic.Bitmaps, 24);
            BinaryPrimitives.WriteInt32BigEndian(data, bitmaps.Count);
            BinaryPrimitives.WriteInt64BigEndian(data[8..], bitmaps.DirectorySize);
            BinaryPrimitives.WriteInt64BigEndian(data[16..], bitmaps.DirectoryOffset);
        }

        foreach (HeaderExtension extension in header.UnknownExtensions)
        {
            extension.Data.CopyTo(writer.Add(extension.Magic, extension.Data.Length));
        }

        writer.Add(HeaderExtensionMagic.End, 0);
        if (header.BackingFile is { } backing)
        {
            int length = NameText.GetByteCount(backing);
            if (length > Header.MaxBackingFileLength)
            {
                throw new ImageException(ImageErrorKind.InvalidArgument, file, "Backing file name too long");
            }

            writer._at = Math.Max(writer._at, nameAt);
            BinaryPrimitives.WriteInt64BigEndian(cluster[8..], writer._at);
            BinaryPrimitives.WriteInt32BigEndian(cluster[16..], length);
            NameText.GetBytes(backing, writer.Take(length));
        }
    }

    private static void WriteFields(Header header, Span<byte> to)
    {
        BinaryPrimitives.WriteUInt32BigEndian(to, Header.Magic);
        BinaryPrimitives.WriteInt32BigEndian(to[4..], header.Version);
        BinaryPrimitives.WriteInt32BigEndian(to[20..], header.ClusterBits);
        BinaryPrimitives.WriteInt64BigEndian(to[24..], header.VirtualSize);
        BinaryPrimitives.WriteUInt32BigEndian(to[32..], (uint)header.CryptMethod);
        BinaryPrimitives.WriteInt32BigEndian(to[36..], header.L1Entries);
        BinaryPrimitives.WriteInt64BigEndian(to[40..], header.L1Offset);
        BinaryPrimitives.WriteInt64BigEndian(to[48..], header.RefcountTableOffset);
        BinaryPrimitives.WriteInt32BigEndian(to[56..], header.RefcountTableClusters);
        BinaryPrimitives.WriteInt32BigEndian(to[60..], header.SnapshotCount);
        BinaryPrimitives.WriteInt64BigEndian(to[64..], header.SnapshotsOffset);
        if (header.Version >= 3)
        {
            BinaryPrimitives.WriteUInt64BigEndian(to[72..], (ulong)header.Incompatible);
            BinaryPrimitives.WriteUInt64BigEndian(to[80..], (ulong)header.Compatible);
            BinaryPrimitives.WriteUInt64BigEndian(to[88..], (ulong)header.Autoclear);
            BinaryPrimitives.WriteInt32BigEndian(to[96..], header.RefcountOrder);
            BinaryPrimitives.WriteInt32BigEndian(to[100..], Header.Version3Length + header.UnknownFields.Length);
            to[104] = (byte)header.CompressionType;
        }
    }

    private void AddText(uint magic, string? text)
    {
        if (text is not null)
        {
            NameText.GetBytes(text, Add(magic, NameText.GetByteCount(text)));
        }
    }

    private Span<byte> Add(uint magic, int length)
    {
        Span<byte> extension = Take(8 + ((length + 7) & ~7));
        BinaryPrimitives.WriteUInt32BigEndian(extension, magic);
        BinaryPrimitives.WriteInt32BigEndian(extension[4..], length);
        return extension.Slice(8, length);
    }

    private Span<byte> Take(int length)
    {
        if (length > _cluster.Length - _at)
        {
            throw new ImageException(ImageErrorKind.NoSpace, _file, "The header, its extensions and the backing file name do not fit into one cluster");
        }

        Span<byte> part = _cluster.Slice(_at, length);
        _at += length;
        return part;
    }
}
