using System.Globalization;
using ImageCluster.Imaging.Storage.Protocols;

namespace ImageCluster.Imaging.Storage.Archives;

/// <summary>Disks in archives, read where they lie: <c>ova:</c> (appliances) and <c>tar:</c>; see <see cref="ArchiveName"/>. For reading only.</summary>
public sealed class ArchiveProtocol : StorageProtocol
{
    private const int ListedAtMost = 8;

    public override IReadOnlyList<string> Schemes => ["ova", "tar"];

    public override IBlockFile Open(string name, OpenMode mode, IFileLocator files)
    {
        if (mode.Write)
        {
            throw new ImageException(ImageErrorKind.Unsupported, name, "A disk in an archive cannot be written");
        }

        ArchiveName parsed = ArchiveName.Parse(name);
        IBlockFile file = files.Open(parsed.Archive, mode);
        try
        {
            TarEntry entry = parsed.Scheme == "ova" ? FindDisk(file, parsed) : FindMember(file, parsed);
            RefuseCompressed(file, entry);
            return new FileSlice(name, file, entry.Offset, entry.Length);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>What a disk's metadata names is looked for beside it in the archive.</summary>
    public override string Combine(string referrer, string reference)
    {
        if (ImagePath.IsAbsolute(reference) || ImagePath.HasProtocol(reference))
        {
            return reference;
        }

        ArchiveName parsed = ArchiveName.Parse(referrer);
        string directory = parsed.Member is { } member ? member[..(member.LastIndexOf('/') + 1)] : "";
        return (parsed with { Member = directory + reference }).ToString();
    }

    public override string Canonical(string name, IFileLocator files)
    {
        ArchiveName parsed = ArchiveName.Parse(name);
        return (parsed with { Archive = files.Canonical(parsed.Archive) }).ToString();
    }

    private static TarEntry FindDisk(IBlockFile file, ArchiveName name)
    {
        OvaArchive ova = OvaArchive.Read(file);
        OvaDisk? disk = name.Member is { } wanted
            ? ova.Disks.FirstOrDefault(disk => disk.Entry.Name == wanted) ?? ByNumber(ova.Disks, wanted)
            : Only(ova.Disks, name, static disk => disk.Entry.Name);
        if (disk?.Obstacle is { } obstacle)
        {
            throw CannotRead(file, disk.Entry, obstacle);
        }

        // Parts that only a disk's own metadata names are members too.
        TarEntry? entry = disk?.Entry ?? ova.Archive.Entries.FirstOrDefault(entry => entry.Name == name.Member);
        return Whole(file, entry ?? throw NotThere(name, ova.Disks.Select(static disk => disk.Entry.Name)));
    }

    private static TarEntry FindMember(IBlockFile file, ArchiveName name)
    {
        TarArchive archive = TarArchive.Read(file);
        TarEntry[] members = [.. archive.Entries.Where(static entry => entry.Kind != TarEntryKind.Other)];
        TarEntry? entry = name.Member is { } wanted
            ? archive.Entries.FirstOrDefault(entry => entry.Name == wanted) ?? ByNumber(members, wanted)
            : Only(members, name, static entry => entry.Name);
        return Whole(file, entry ?? throw NotThere(name, members.Select(static entry => entry.Name)));
    }

    private static T? ByNumber<T>(IReadOnlyList<T> items, string text)
        where T : class =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int number) && number >= 1 && number <= items.Count ? items[number - 1] : null;

    private static T Only<T>(IReadOnlyList<T> items, ArchiveName name, Func<T, string> nameOf) => items switch
    {
        [var only] => only,
        [] => throw new ImageException(ImageErrorKind.NotFound, name.Archive, "The archive holds no disk"),
        _ => throw new ImageException(ImageErrorKind.InvalidArgument, name.Archive, $"The archive holds {items.Count} disks: {List(items.Select(nameOf))}")
        {
            Hint = $"Name one, or its number: {name with { Member = TarArchive.Shown(nameOf(items[0])) }}",
        },
    };

    private static TarEntry Whole(IBlockFile file, TarEntry entry) => entry.Kind switch
    {
        TarEntryKind.File => entry,
        TarEntryKind.SparseFile => throw CannotRead(file, entry, "is stored as a sparse file"),
        _ => throw new ImageException(ImageErrorKind.Unsupported, file.Name, $"'{TarArchive.Shown(entry.Name)}' is a link or a directory"),
    };

    private static void RefuseCompressed(IBlockFile file, TarEntry entry)
    {
        Span<byte> head = stackalloc byte[3];
        bool isGzip = entry.Length >= head.Length && file.Read(entry.Offset, head) == head.Length && head.SequenceEqual<byte>([0x1f, 0x8b, 8]);
        if (isGzip || entry.Name.EndsWith(".gz", StringComparison.OrdinalIgnoreCase))
        {
            throw CannotRead(file, entry, "is compressed with gzip");
        }
    }

    private static ImageException CannotRead(IBlockFile file, TarEntry entry, string why) =>
        new(ImageErrorKind.Unsupported, file.Name, $"'{TarArchive.Shown(entry.Name)}' {why} and cannot be read in place")
        {
            Hint = "Unpack the archive and use the file.",
        };

    private static ImageException NotThere(ArchiveName name, IEnumerable<string> there) =>
        new(ImageErrorKind.NotFound, name.Archive, $"The archive holds no '{name.Member}'; there are: {List(there)}");

    private static string List(IEnumerable<string> names)
    {
        string[] all = [.. names.Select(TarArchive.Shown)];
        return all.Length == 0 ? "none" : string.Join(", ", all.Take(ListedAtMost)) + (all.Length > ListedAtMost ? ", ..." : "");
    }
}
