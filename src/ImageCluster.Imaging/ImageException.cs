namespace ImageCluster.Imaging;

/// <summary>What kind of trouble an <see cref="ImageException"/> reports; callers map it to wording and exit codes.</summary>
public enum ImageErrorKind
{
    /// <summary>The file, or a file that it refers to, is not there.</summary>
    NotFound,

    /// <summary>The operating system refused or failed an access (permissions, input/output error).</summary>
    Io,

    /// <summary>No room left on the target's file system.</summary>
    NoSpace,

    /// <summary>Another process holds a conflicting lock.</summary>
    Locked,

    /// <summary>The file is not of the format that was stated, or of none that is known.</summary>
    NotThisFormat,

    /// <summary>The file ends before something that its metadata refers to.</summary>
    Truncated,

    /// <summary>The metadata contradicts itself.</summary>
    Corrupt,

    /// <summary>A size, offset or count is beyond the limits (which are QEMU's).</summary>
    Limit,

    /// <summary>A feature, version or option that this engine does not implement.</summary>
    Unsupported,

    /// <summary>The image was to be written, and the format is one that is only read.</summary>
    ReadOnlyFormat,

    /// <summary>The chain policy forbids it: outside the allowed roots, a loop, too deep.</summary>
    Policy,

    /// <summary>A wrong argument or option value.</summary>
    InvalidArgument,

    /// <summary>The target is there already.</summary>
    Exists,

    /// <summary>A password is missing or wrong.</summary>
    Secret,
}

/// <summary>
/// The one exception of the engine. <see cref="Exception.Message"/> is a single line without the file's name that says what is
/// wrong and where (QEMU's wording where QEMU has one); <see cref="File"/> names the file; <see cref="Hint"/> says what to do.
/// </summary>
public sealed class ImageException : Exception
{
    public ImageException(ImageErrorKind kind, string? file, string message, Exception? inner = null)
        : base(message, inner)
    {
        Kind = kind;
        File = file;
    }

    private ImageException(ImageException failure, string message)
        : this(failure.Kind, failure.File, message, failure)
    {
        Hint = failure.Hint;
        Errno = failure.Errno;
        Corruption = failure.Corruption;
        Step = failure.Step;
        Access = failure.Access;
        GuestOffset = failure.GuestOffset;
        Disk = failure.Disk;
    }

    public ImageErrorKind Kind { get; }

    /// <summary>The name of the file concerned, as the caller gave it or as its parent names it; null where there is none.</summary>
    public string? File { get; }

    /// <summary>What the user can do about it; null where the message says it all.</summary>
    public string? Hint { get; init; }

    /// <summary>The operating system's error number (errno) behind this, 0 if none.</summary>
    public int Errno { get; init; }

    /// <summary>The image's own metadata was found to be wrong while it was used, as QEMU reports it once for an image.</summary>
    public CorruptionSignal Corruption { get; init; }

    /// <summary>What an operation of several steps failed in, as QEMU calls it ("Failed to update the image header"); null where it is not said.</summary>
    public string? Step { get; init; }

    /// <summary>What an operation over a whole disk was doing; none where it is not said.</summary>
    public DiskAccess Access { get; init; }

    /// <summary>The guest offset in bytes at which it was doing it.</summary>
    public long GuestOffset { get; init; }

    /// <summary>Of two disks, which one: 0 or 1.</summary>
    public int Disk { get; init; }

    /// <summary>A lock refused how the whole chain is used, whatever the file's place in it: QEMU asks for that once all files are open.</summary>
    internal bool IsOfUse { get; private init; }

    /// <summary>It is a backing file that cannot be opened: what is wrong with it is in <see cref="Exception.InnerException"/>.</summary>
    public bool IsOfBacking { get; private init; }

    /// <summary>The same failure in other words, or to be thrown where it did not come from.</summary>
    public ImageException Saying(string message) => new(this, message);

    /// <summary>The same failure, as one that is <see cref="IsOfUse"/>.</summary>
    internal ImageException OfUse() => new(this, Message) { IsOfUse = true };

    /// <summary>The same failure, as one of a backing file.</summary>
    public ImageException OfBacking() => IsOfBacking ? this : new(this, $"Could not open backing file: {Message}") { Corruption = CorruptionSignal.None, IsOfBacking = true };

    /// <summary>
    /// The same failure, with the step that it ended before the words of its error number, where a file could not be accessed or is damaged; a refusal
    /// says itself what it is about, and who has a step keeps it. What was said of the access is in <see cref="Exception.InnerException"/>.
    /// </summary>
    public ImageException In(string step)
    {
        bool isAccess = Kind is ImageErrorKind.Io or ImageErrorKind.NoSpace || Corruption != CorruptionSignal.None;
        return Step is not null || !isAccess ? this : new(this, $"{step}: {(Errno == 0 ? Message : Storage.Native.Errno.Text(Errno))}") { Step = step };
    }

    /// <summary>The same failure, with the place where an operation met it; one that has a place keeps it.</summary>
    public ImageException At(DiskAccess access, long guestOffset, int disk = 0) =>
        Access != DiskAccess.None ? this : new(this, Message) { Access = access, GuestOffset = guestOffset, Disk = disk };
}

/// <summary>What became of an image whose metadata was found to be wrong.</summary>
public enum CorruptionSignal
{
    /// <summary>Nothing of the kind.</summary>
    None,

    /// <summary>It was only read, and is as it was.</summary>
    Found,

    /// <summary>It was open for writing, and is marked as corrupt: it is to be checked before it is written again.</summary>
    Marked,
}

/// <summary>What an operation does with a disk.</summary>
public enum DiskAccess
{
    None,

    /// <summary>Asks what stands where.</summary>
    Map,

    Read,

    Write,
}
