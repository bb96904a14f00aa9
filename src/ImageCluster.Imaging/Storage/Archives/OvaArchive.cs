namespace ImageCluster.Imaging.Storage.Archives;

/// <summary>An appliance in one file (OVA: a tar archive of an OVF descriptor, disks, and a manifest of digests), with its disks where they lie.</summary>
public sealed class OvaArchive
{
    private const int MaxDescriptor = 16 << 20;

    private OvaArchive(TarArchive archive, TarEntry descriptor, string? systemName, IReadOnlyList<OvaDisk> disks)
    {
        Archive = archive;
        Descriptor = descriptor;
        SystemName = systemName;
        Disks = disks;
    }

    public TarArchive Archive { get; }

    /// <summary>The OVF file.</summary>
    public TarEntry Descriptor { get; }

    /// <summary>The manifest of digests; null where there is none.</summary>
    public TarEntry? Manifest => Archive.Entries.FirstOrDefault(entry => entry.Kind == TarEntryKind.File
        && entry.Name.Equals(Path.ChangeExtension(Descriptor.Name, ".mf"), StringComparison.OrdinalIgnoreCase));

    /// <summary>The (first) virtual machine's name; null where the descriptor has none.</summary>
    public string? SystemName { get; }

    /// <summary>The disks that have a file, in the descriptor's order.</summary>
    public IReadOnlyList<OvaDisk> Disks { get; }

    /// <summary>True for a name that an appliance has; its content decides.</summary>
    public static bool IsNamedLikeOne(string name) => name.EndsWith(".ova", StringComparison.OrdinalIgnoreCase);

    /// <summary>Reads the archive's headers and its descriptor. The file stays the caller's.</summary>
    /// <exception cref="ImageException">It is no appliance, or a damaged one.</exception>
    public static OvaArchive Read(IBlockFile file)
    {
        TarArchive archive = TarArchive.Read(file);
        TarEntry[] descriptors = [.. archive.Entries.Where(static entry => entry.Kind == TarEntryKind.File && entry.Name.EndsWith(".ovf", StringComparison.OrdinalIgnoreCase))];
        TarEntry descriptor = descriptors switch
        {
            [var only] => only,
            [] => throw new ImageException(ImageErrorKind.NotThisFormat, file.Name, "The archive holds no OVF descriptor")
            {
                Hint = "A disk in an archive that is no appliance is named tar:ARCHIVE#MEMBER.",
            },
            _ => throw new ImageException(ImageErrorKind.Corrupt, file.Name, "The archive holds several OVF descriptors"),
        };
        OvfDescriptor ovf = OvfDescriptor.Parse(ReadMember(file, descriptor, MaxDescriptor), file.Name);
        return new OvaArchive(archive, descriptor, ovf.SystemName, Match(file, archive, ovf));
    }

    internal static byte[] ReadMember(IBlockFile file, TarEntry entry, int limit)
    {
        if (entry.Length > limit)
        {
            throw new ImageException(ImageErrorKind.Limit, file.Name, $"'{TarArchive.Shown(entry.Name)}' is larger than {limit:#,0} bytes");
        }

        byte[] bytes = new byte[entry.Length];
        file.ReadExactly(entry.Offset, bytes, $"'{TarArchive.Shown(entry.Name)}'");
        return bytes;
    }

    private static List<OvaDisk> Match(IBlockFile file, TarArchive archive, OvfDescriptor ovf)
    {
        List<OvaDisk> disks = [];
        foreach (OvfDisk disk in ovf.Disks)
        {
            if (disk.FileId is not { } id)
            {
                continue;
            }

            OvfFile reference = ovf.File(id)
                ?? throw Corrupt(file, $"disk '{TarArchive.Shown(disk.Id)}' refers to file '{TarArchive.Shown(id)}', which the descriptor does not have");
            string href = reference.Href.StartsWith("./", StringComparison.Ordinal) ? reference.Href[2..] : reference.Href;

            // A file in chunks has members with a number behind its name (DSP0243, 7.1).
            string name = reference.InChunks ? href + ".000000000" : href;
            TarEntry entry = archive.Entries.FirstOrDefault(e => e.Name == name && e.Kind != TarEntryKind.Other)
                ?? throw Corrupt(file, $"disk '{TarArchive.Shown(disk.Id)}' refers to '{TarArchive.Shown(reference.Href)}', which is not in the archive");
            string? obstacle = reference switch
            {
                { InChunks: true } => "is cut into chunks",
                { Compression: not ("" or "identity") } => $"is compressed with {TarArchive.Shown(reference.Compression)}",
                _ => null,
            };
            disks.Add(new OvaDisk(disks.Count + 1, disk.Id, entry, disk.Capacity, disk.Format, obstacle));
        }

        return disks;
    }

    private static ImageException Corrupt(IBlockFile file, string what) => new(ImageErrorKind.Corrupt, file.Name, $"The OVF descriptor is wrong: {what}");
}
