namespace ImageCluster.Imaging.Storage.Archives;

/// <summary>
/// The name of a disk in an archive: <c>ova:ARCHIVE#DISK</c> or <c>tar:ARCHIVE#MEMBER</c>, where the archive is any name that can be opened (a path, an address) and
/// the disk its file's name or its number. Without the last part: the archive's only disk.
/// </summary>
/// <param name="Scheme"><c>ova</c> or <c>tar</c>.</param>
/// <param name="Archive">What the archive is opened by.</param>
/// <param name="Member">What stands behind the last <c>#</c>; null for nothing.</param>
internal readonly record struct ArchiveName(string Scheme, string Archive, string? Member)
{
    public static ArchiveName Parse(string name)
    {
        int colon = name.IndexOf(':', StringComparison.Ordinal);
        string rest = name[(colon + 1)..];
        int hash = rest.LastIndexOf('#');
        ArchiveName parsed = hash < 0
            ? new ArchiveName(name[..colon], rest, null)
            : new ArchiveName(name[..colon], rest[..hash], rest[(hash + 1)..]);
        return parsed.Archive.Length > 0
            ? parsed
            : throw new ImageException(ImageErrorKind.InvalidArgument, name, $"'{name}' names no archive: {parsed.Scheme}:ARCHIVE#MEMBER is wanted");
    }

    public override string ToString() => Member is null ? $"{Scheme}:{Archive}" : $"{Scheme}:{Archive}#{Member}";
}
