using ImageCluster.Imaging.Formats.BlockTables;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Qcow;

/// <summary>
/// Where a new image has what, by its create options: header, backing file's name, L1 table, then tables and clusters as they come. Clusters are of
/// 4 KiB, or of 512 bytes over a backing file, so that nothing unmodified is copied.
/// </summary>
internal sealed class QcowLayout
{
    private const int SectorSize = 512;

    public QcowLayout(CreateRequest request)
    {
        OptionReader options = new(request.Options, request.FileName);
        _ = options.FilePreallocation();
        if (request.VirtualSize == 0)
        {
            throw Invalid(request, "Image size is too small, cannot be zero length");
        }

        bool isAes = options.Flag("encryption", false);
        if (isAes && options.Text("encrypt.format") is not null)
        {
            throw Invalid(request, "'encrypt.format' and its alias 'encryption' can't be used at the same time");
        }

        string? format = isAes ? "aes" : options.Text("encrypt.format");
        if (format is null && options.Text("encrypt.key-secret") is not null)
        {
            throw new ImageException(ImageErrorKind.InvalidArgument, request.FileName, "Parameter 'encrypt.format' is missing");
        }

        if (format is not (null or "aes"))
        {
            throw Invalid(request, "Unsupported encryption format");
        }

        Compress = request.Compress;
        if (format is not null)
        {
            Password = request.Secret("encrypt.key-secret")
                ?? throw new ImageException(ImageErrorKind.Secret, request.FileName, "Parameter 'encrypt.key-secret' is required for cipher");
            Compress = !request.Compress ? false : throw Invalid(request, "Compression and encryption not supported at the same time");
        }

        string? backing = options.Text("backing_file");
        bool hasBacking = !string.IsNullOrEmpty(backing);
        Header = new QcowHeader
        {
            ClusterBits = hasBacking ? 9 : 12,
            L2Bits = hasBacking ? 12 : 9,
            Size = (Math.Min(request.VirtualSize, long.MaxValue - SectorSize) + SectorSize - 1) & -SectorSize,
            IsEncrypted = format is not null,
            BackingName = hasBacking ? backing : null,
            L1TableOffset = (QcowHeader.Length + (hasBacking ? NameText.GetByteCount(backing!) : 0) + 7) & ~7,
        };
        if (Header.Size >> (Header.ClusterBits + Header.L2Bits) >= int.MaxValue / sizeof(ulong))
        {
            throw new ImageException(ImageErrorKind.Limit, request.FileName, "Image too large");
        }
    }

    public QcowHeader Header { get; }

    public bool Compress { get; }

    /// <summary>The password where the image is to be encrypted, else null.</summary>
    public byte[]? Password { get; }

    public ClusterTableShape Shape => new(Header.L1TableOffset, Header.L1Count, 1L << Header.L2Bits, Header.ClusterSize, BigEndian: true);

    public BlockFillLayout FillLayout =>
        new(Header.DiskSize, Header.ClusterSize, FileLength(Header)) { Alignment = Header.ClusterSize };

    /// <summary>Length of an empty image's file, bytes: the L1 table ends a whole number of sectors behind its start.</summary>
    public static long FileLength(QcowHeader header) =>
        header.L1TableOffset + ((header.L1Count * sizeof(ulong) + SectorSize - 1) & -SectorSize);

    private static ImageException Invalid(CreateRequest request, string message) => new(ImageErrorKind.InvalidArgument, request.FileName, message);
}
