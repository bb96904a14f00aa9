namespace ImageCluster.Imaging.Storage.Archives;

/// <summary>A member of a tar archive.</summary>
/// <param name="Name">As the archive has it, without a leading <c>./</c>. Only ever compared, never opened: it may say what it wants.</param>
/// <param name="Offset">Where its bytes begin in the archive.</param>
/// <param name="Length">Bytes.</param>
/// <param name="Kind">What it is.</param>
public sealed record TarEntry(string Name, long Offset, long Length, TarEntryKind Kind)
{
    /// <summary>The name without its directories.</summary>
    public string FileName => Name[(Name.LastIndexOf('/') + 1)..];
}

public enum TarEntryKind
{
    File,

    /// <summary>A file whose holes are not in the archive (GNU's sparse forms): its bytes do not stand in one piece.</summary>
    SparseFile,

    /// <summary>A directory, a link, a device.</summary>
    Other,
}
