namespace ImageCluster.Imaging.Storage;

/// <summary>QEMU's cache modes (<c>-t</c> and <c>-T</c> of qemu-img; <c>cache=</c> of -drive).</summary>
public enum CacheMode
{
    /// <summary>Page cache; <see cref="IBlockFile.Flush"/> makes durable.</summary>
    Writeback,

    /// <summary>Page cache; each write is durable when it returns.</summary>
    Writethrough,

    /// <summary>O_DIRECT; <see cref="IBlockFile.Flush"/> makes durable.</summary>
    None,

    /// <summary>O_DIRECT; each write is durable when it returns.</summary>
    DirectSync,

    /// <summary>Page cache; flushes are ignored.</summary>
    Unsafe,
}

/// <summary>How to open a file by <see cref="IFileLocator"/>.</summary>
public sealed record OpenMode
{
    public static readonly OpenMode ReadOnly = new();
    public static readonly OpenMode ReadWrite = new() { Write = true };

    public bool Write { get; init; }

    public CacheMode Cache { get; init; } = CacheMode.Writeback;

    /// <summary>Which of QEMU's byte-range locks to take.</summary>
    public ImageLock Lock { get; init; } = ImageLock.Default;

    /// <summary>What the image is opened for: with <see cref="Role"/> it says what <see cref="ImageLock.Default"/> and <see cref="ImageLock.Shared"/> take.</summary>
    public ImageUse Use { get; init; }

    /// <summary>What the file is to its image; of no meaning to <see cref="ImageUse.Exclusive"/>.</summary>
    public FileRole Role { get; init; }

    /// <summary>
    /// What is written is sent to storage from time to time without waiting for it, so that the flush at the end, which is sure to come, has little left to do.
    /// Changes nothing else.
    /// </summary>
    public bool SendsEarly { get; init; }

    /// <summary>Leaves the file's access time as it is, where the system lets us (the owner's files).</summary>
    public bool NoAtime { get; init; }

    /// <summary>Linux native AIO is asked for, which QEMU refuses for files that are not opened with O_DIRECT, and which changes nothing here.</summary>
    public bool NativeAio { get; init; }

    /// <summary>
    /// Where not null: the file, all links resolved, must lie in one of these. Local storage looks at the opened file itself, so that a link
    /// put in place at the last moment changes nothing. Set by <see cref="Chains.ConfinedLocator"/>.
    /// </summary>
    public AllowedRoots? Within { get; init; }
}

/// <summary>
/// The sharing that an open asks of QEMU's image locks (block/file-posix.c: permission p is byte 100+p, "not shared" is 200+p).
/// </summary>
/// <remarks>
/// What qemu-img 7.2 takes: a format's file for reading 100, 201, 203; for writing also 101, 103; with <c>-U</c> 100 alone. It asks less of
/// raw images, whose file it opens as its command needs it (<see cref="ImageUse"/>).
/// </remarks>
public enum ImageLock
{
    /// <summary>A reader lets readers in and no writer; a writer lets nobody else write, resize or rely on consistency.</summary>
    Default,

    /// <summary><c>-U</c>, force-share: read while others write.</summary>
    Shared,

    /// <summary>No locks: for parts of an image whose main file holds the lock, and for what only looks at sizes.</summary>
    None,

    /// <summary>
    /// share-rw: a writer beside others of its kind, which have agreed on who writes where, and beside nobody else; a reader as
    /// <see cref="Default"/>.
    /// </summary>
    SharedWrite,
}
