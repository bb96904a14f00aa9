namespace ImageCluster.Imaging.Formats;

/// <summary>Every format there is, in one list. Adding a format is adding its folder and its line here.</summary>
public static class FormatRegistry
{
    /// <summary>In the order in which probing asks them; of equal scores the first wins.</summary>
    public static IReadOnlyList<ImageFormat> All { get; } =
    [
        new Qed.QedFormat(),
        new Parallels.ParallelsFormat(),
        new Vdi.VdiFormat(),
        new Qcow2.Qcow2Format(),
        new Vmdk.VmdkFormat(),
        new Raw.RawFormat(),
        new Vpc.VpcFormat(),
        new Vhdx.VhdxFormat(),
        new Qcow.QcowFormat(),
        new Bochs.BochsFormat(),
        new Cloop.CloopFormat(),
        new Dmg.DmgFormat(),
        new Luks.LuksFormat(),
    ];

    // Nodes over another image, no formats of files: nothing is probed for them, and nobody lists them.
    private static readonly ImageFormat[] FilterDrivers =
    [
        new Filters.FilterFormat(Filters.FilterFormat.Blkdebug),
        new Filters.FilterFormat(Filters.FilterFormat.Blkverify),
        new Filters.FilterFormat(Filters.FilterFormat.Compress),
        new Filters.FilterFormat(Filters.FilterFormat.CopyOnRead),
        new Filters.FilterFormat(Filters.FilterFormat.Preallocate),
        new Filters.FilterFormat(Filters.FilterFormat.Quorum),
        new Filters.FilterFormat(Filters.FilterFormat.Throttle),
    ];

    /// <summary>Every name that <see cref="Find"/> knows.</summary>
    public static IEnumerable<string> DriverNames => All.Concat(FilterDrivers).Select(static format => format.Name);

    /// <summary>The format of that name, or the filter driver; or null.</summary>
    public static ImageFormat? Find(string name) =>
        All.FirstOrDefault(format => format.Name == name) ?? Array.Find(FilterDrivers, format => format.Name == name);

    /// <summary>Bytes that probing looks at (QEMU's BLOCK_PROBE_BUF_SIZE).</summary>
    public const int ProbeLength = 512;

    /// <summary>The format that is surest of a file, by its first bytes and name; raw where no other claims it.</summary>
    /// <param name="head">Up to <see cref="ProbeLength"/> bytes.</param>
    /// <param name="fileName">The file's name; empty where the bytes alone are to count.</param>
    public static ImageFormat Probe(ReadOnlySpan<byte> head, string fileName)
    {
        ImageFormat? best = null;
        int bestScore = 0;
        foreach (ImageFormat format in All)
        {
            int score = format.Probe(head, fileName);
            if (score > bestScore)
            {
                (best, bestScore) = (format, score);
            }
        }

        return best ?? throw new ImageException(ImageErrorKind.NotThisFormat, fileName, "Could not determine image format: No compatible driver found");
    }
}
