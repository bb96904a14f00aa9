using ImageCluster.Imaging.Encryption.Luks;

namespace ImageCluster.Imaging.Formats.Qcow2;

/// <summary>The format-specific part of <c>info</c>: QAPI's ImageInfoSpecificQCow2, in the order in which qemu-img prints it.</summary>
internal static class Describer
{
    public static FormatSpecificInfo Describe(Qcow2Image image)
    {
        Header header = image.Metadata.Header;
        FormatSpecificInfo info = new("qcow2");
        if (header.Version < 3)
        {
            info.Add("compat", "0.10")
                .Add("compression-type", "zlib")
                .Add("refcount-bits", 16);
            return AddEncryption(info, image);
        }

        info.Add("compat", "1.1")
            .Add("compression-type", header.CompressionType == CompressionType.Zstd ? "zstd" : "zlib")
            .Add("lazy-refcounts", header.HasLazyRefcounts)
            .Add("bitmaps", Bitmaps(image.Bitmaps))
            .Add("refcount-bits", 1 << header.RefcountOrder);
        AddEncryption(info, image);
        if (header.HasDataFile)
        {
            info.Add("data-file", header.DataFile)
                .Add("data-file-raw", header.IsDataFileRaw);
        }

        return info.Add("corrupt", header.IsCorrupt)
            .Add("extended-l2", header.HasExtendedL2);
    }

    private static FormatSpecificInfo AddEncryption(FormatSpecificInfo info, Qcow2Image image) => image.Encryption switch
    {
        { Volume: { } volume } => info.Add("encrypt", LuksDescriber.Add(new FormatSpecificInfo(), volume, "luks")),
        { Volume: null } => info.Add("encrypt", new FormatSpecificInfo().Add("format", "aes")),
        null => info,
    };

    private static List<object>? Bitmaps(IReadOnlyList<PersistentBitmap> bitmaps)
    {
        List<object> list = [];
        foreach (PersistentBitmap bitmap in bitmaps)
        {
            List<object> flags = [];
            if ((bitmap.Flags & BitmapFlags.InUse) != 0)
            {
                flags.Add("in-use");
            }

            if ((bitmap.Flags & BitmapFlags.Auto) != 0)
            {
                flags.Add("auto");
            }

            list.Add(new FormatSpecificInfo().Add("flags", flags).Add("name", bitmap.Name).Add("granularity", 1L << bitmap.GranularityBits));
        }

        return list.Count > 0 ? list : null;
    }
}
