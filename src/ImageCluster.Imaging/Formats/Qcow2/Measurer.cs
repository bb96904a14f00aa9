using ImageCluster.Imaging.Formats.Capabilities;
using ImageCluster.Imaging.Operations.Converting;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Qcow2;

/// <summary>How large the file of a new image will be: QEMU's calculation, which counts the tables of a full image whatever the data.</summary>
internal static class Measurer
{
    private const int BitmapEntryLength = 24;

    public static MeasureResult Measure(MeasureRequest request, CreateSettings settings)
    {
        if (settings.Encryption?.Luks is not null)
        {
            _ = settings.Encryption.Password(request.Secret, null);
        }

        // The size is checked here, not with the options: the complaint is another one.
        Layout layout = new(settings.Header);
        long size = RoundUp(request.VirtualSize, layout.ClusterSize);
        if (request.VirtualSize < 0 || size < 0 || layout.L1EntriesFor(size) > Header.MaxL1Bytes / sizeof(ulong))
        {
            throw new ImageException(ImageErrorKind.Limit, null, "The image size is too large (try using a larger cluster size)");
        }

        // What is not needed is looked at all the same, as QEMU does: a damaged image has no size.
        bool hasBacking = request.Source is not null && settings.Header.BackingFile is not null;
        long counted = hasBacking || request.Source is null ? 0 : CountData(request.Source, layout.ClusterSize);
        long data = hasBacking || settings.Preallocation is Preallocation.Falloc or Preallocation.Full ? size : counted;
        long header = settings.Encryption?.Luks is { } luks ? RoundUp(luks.HeaderLength, layout.ClusterSize) : 0;
        long full = FullSize(layout, size) + header;
        bool keepsBitmaps = settings.Header.Version >= 3 && request.SourceBitmaps is not null;
        return new MeasureResult(full - size + data, full, keepsBitmaps ? BitmapBytes(request, layout.ClusterSize) : null);
    }

    private static long FullSize(Layout layout, long size)
    {
        long cluster = layout.ClusterSize;
        long entryBytes = layout.L2EntryWords * sizeof(ulong);
        long l2Bytes = RoundUp(size / cluster, cluster / entryBytes) * entryBytes;
        long l1Bytes = RoundUp(l2Bytes / cluster, cluster / sizeof(ulong)) * sizeof(ulong);
        long metadata = cluster + l2Bytes + l1Bytes;
        (long blocks, long tableClusters) = RefcountMath.Needed(layout, (metadata + size) / cluster, generous: false);
        return metadata + (blocks + tableClusters) * cluster + size;
    }

    // Bytes of the clusters that hold data.
    private static long CountData(IConvertSource source, long cluster)
    {
        long bytes = 0;
        for (long offset = 0; offset < source.VirtualSize;)
        {
            SourceRange range = source.Map(offset, source.VirtualSize - offset);
            long length = range.Length;
            if (range.Kind == SourceKind.Data)
            {
                length = RoundUp(offset + length, cluster) - offset;
                bytes += offset % cluster + length;
            }

            offset += length;
        }

        return bytes;
    }

    private static long BitmapBytes(MeasureRequest request, long cluster)
    {
        long bytes = 0;
        long directory = 0;
        foreach (ImageBitmap bitmap in request.SourceBitmaps!)
        {
            long bits = RefcountMath.DivideUp(request.VirtualSize, bitmap.Granularity);
            long clusters = RefcountMath.DivideUp(RefcountMath.DivideUp(bits, 8), cluster);
            bytes += (clusters * cluster) + RoundUp(clusters * sizeof(ulong), cluster);
            directory += RoundUp(BitmapEntryLength + NameText.GetByteCount(bitmap.Name), sizeof(ulong));
        }

        return bytes + RoundUp(directory, cluster);
    }

    private static long RoundUp(long value, long unit) => unchecked((value + unit - 1) / unit * unit);
}
