using System.Buffers;
using ImageCluster.Imaging.Compression;
using ImageCluster.Imaging.Encryption;
using ImageCluster.Imaging.Extents;
using ImageCluster.Imaging.Formats.BlockTables;
using ImageCluster.Imaging.Formats.Capabilities;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Qcow;

/// <summary>A qcow image open for reading.</summary>
internal class QcowReader : BlockReader, IImageStatus
{
    protected QcowReader(OpenContext context, QcowHeader header, SectorCipher? cipher)
        : base(context)
    {
        Header = header;
        Cipher = cipher;
        VirtualSize = header.DiskSize;
        Codec = ClusterCodecs.Deflate(context.FileName);
        Tables = new ClusterTables(
            File,
            new ClusterTableShape(header.L1TableOffset, header.L1Count, 1L << header.L2Bits, header.ClusterSize, BigEndian: true),
            TableOffset);
    }

    public override string FormatName => "qcow";

    public override long Granularity => Header.ClusterSize;

    public override BackingReference? Backing => Header.BackingName is { } name ? new BackingReference(name, null) : null;

    public bool IsEncrypted => Header.IsEncrypted;

    protected QcowHeader Header { get; }

    /// <summary>Null where the image is not encrypted, or was opened to be described only.</summary>
    protected SectorCipher? Cipher { get; }

    protected IClusterCodec Codec { get; }

    protected ClusterTables Tables { get; }

    public static QcowReader Open(OpenContext context)
    {
        try
        {
            QcowHeader header = QcowHeader.Read(context.File, context.FileName);
            SectorCipher? cipher = OpenCipher(context, header);
            return context.Write ? new QcowWriter(context, header, cipher) : new QcowReader(context, header, cipher);
        }
        catch
        {
            context.File.Dispose();
            throw;
        }
    }

    public override void Read(in Extent extent, Span<byte> buffer)
    {
        if (extent.Kind == ExtentKind.Compressed)
        {
            ReadCompressed(extent.Start, buffer);
        }
        else if (Header.IsEncrypted)
        {
            ReadEncrypted(extent, buffer);
        }
        else
        {
            base.Read(extent, buffer);
        }
    }

    public override void Dispose()
    {
        Codec.Dispose();
        Cipher?.Dispose();
        base.Dispose();
    }

    protected override Extent Look(long offset, long length)
    {
        long cluster = offset / Header.ClusterSize;
        long within = offset - cluster * Header.ClusterSize;
        ulong entry = Tables.Find(cluster, out long clusters);
        length = Math.Min(length, clusters * Header.ClusterSize - within);
        if (entry == 0)
        {
            return new Extent(offset, length, ExtentKind.Absent);
        }

        if (QcowEntry.IsCompressed(entry))
        {
            return new Extent(offset, length, ExtentKind.Compressed, File, QcowEntry.Decode(entry, Header.ClusterBits).Offset);
        }

        return entry % 512 == 0 && entry <= long.MaxValue / 2
            ? new Extent(offset, length, ExtentKind.Data, File, (long)entry + within)
            : throw Corrupt($"Data cluster offset 0x{entry:x} of guest offset 0x{offset:x} is invalid");
    }

    private static SectorCipher? OpenCipher(OpenContext context, QcowHeader header)
    {
        string? stated = context.Options.GetValueOrDefault("encrypt.format");
        if (!header.IsEncrypted)
        {
            return stated is null ? null : throw new ImageException(ImageErrorKind.InvalidArgument, context.FileName,
                $"No encryption in image header, but options specified format '{stated}'");
        }

        if (stated is not (null or "aes"))
        {
            throw new ImageException(ImageErrorKind.InvalidArgument, context.FileName,
                $"Header reported 'aes' encryption format but options specify '{stated}'");
        }

        byte[]? password = context.Secret("encrypt.key-secret");
        return password is not null ? LegacyAes.Create(password)
            : context.DescribeOnly ? null
            : throw new ImageException(ImageErrorKind.Secret, context.FileName, "Parameter 'encrypt.key-secret' is required for cipher");
    }

    private void ReadCompressed(long offset, Span<byte> buffer)
    {
        long cluster = offset / Header.ClusterSize;
        (long host, int length) = QcowEntry.Decode(Tables.Find(cluster, out _), Header.ClusterBits);
        byte[] packed = ArrayPool<byte>.Shared.Rent(Header.ClusterSize);
        byte[] whole = ArrayPool<byte>.Shared.Rent(Header.ClusterSize);
        try
        {
            File.ReadExactly(host, packed.AsSpan(0, length), "compressed cluster");
            Codec.Decompress(packed.AsSpan(0, length), whole.AsSpan(0, Header.ClusterSize));
            whole.AsSpan((int)(offset - cluster * Header.ClusterSize), buffer.Length).CopyTo(buffer);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(packed);
            ArrayPool<byte>.Shared.Return(whole);
        }
    }

    // Sectors are encrypted each for itself: a part of one is read whole.
    private void ReadEncrypted(in Extent extent, Span<byte> buffer)
    {
        SectorCipher cipher = Cipher ?? throw new ImageException(ImageErrorKind.Secret, FileName, "Parameter 'encrypt.key-secret' is required for cipher");
        int before = (int)(extent.Start % SectorCipher.SectorLength);
        int length = (before + buffer.Length + SectorCipher.SectorLength - 1) & -SectorCipher.SectorLength;
        byte[] sectors = ArrayPool<byte>.Shared.Rent(length);
        try
        {
            Span<byte> whole = sectors.AsSpan(0, length);
            File.ReadExactly(extent.HostOffset - before, whole, "guest data");
            cipher.Decrypt((extent.Start - before) / SectorCipher.SectorLength, whole);
            whole.Slice(before, buffer.Length).CopyTo(buffer);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(sectors, clearArray: true);
        }
    }

    private long TableOffset(ulong entry) =>
        entry <= long.MaxValue / 2 ? (long)entry : throw Corrupt($"L2 table offset 0x{entry:x} is invalid");
}
