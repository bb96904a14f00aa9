namespace ImageCluster.Imaging.Storage;

/// <summary>
/// A file, device or remote export addressed by byte position. There is no cursor: any number of threads may call any member at once.
/// Failures are <see cref="ImageException"/>s that name the file.
/// </summary>
public interface IBlockFile : IDisposable
{
    /// <summary>The name that messages use: the path or URL as it was given.</summary>
    string Name { get; }

    /// <summary>Current length in bytes (asked of the file each time: another process may have changed it).</summary>
    long Length { get; }

    bool CanWrite { get; }

    /// <summary>True where extending writes and <see cref="SetLength"/> are possible (false for devices and fixed-size exports).</summary>
    bool CanResize { get; }

    /// <summary>True for what never has another length, however it is opened: a device, an export.</summary>
    bool HasFixedSize => false;

    /// <summary>
    /// Reads from <paramref name="offset"/> into <paramref name="buffer"/> and returns the number of bytes read, which is less than
    /// the buffer's length only where the file ends. Any alignment is accepted.
    /// </summary>
    int Read(long offset, Span<byte> buffer);

    /// <summary>Writes all of <paramref name="data"/> at <paramref name="offset"/>, extending the file where needed.</summary>
    void Write(long offset, ReadOnlySpan<byte> data);

    /// <summary>
    /// Makes the range read as zeros, extending the file where it ends before the range does. The cheapest way the storage has:
    /// punch a hole or extend (<see cref="ZeroMode.MayUnmap"/>), zero while keeping the space (<see cref="ZeroMode.KeepAllocated"/>).
    /// </summary>
    void WriteZeroes(long offset, long length, ZeroMode mode);

    /// <summary>Gives the range's space back where the storage can; its content is undefined afterwards. A hint: never fails for lack of support.</summary>
    void Discard(long offset, long length);

    /// <summary>Sets the length in bytes; what is added reads as zeros.</summary>
    void SetLength(long length);

    /// <summary>Reserves space on the storage for the range (fallocate), extending the file; what is added reads as zeros.</summary>
    void Allocate(long offset, long length);

    /// <summary>Returns when everything written before is on stable storage (unless opened with <see cref="CacheMode.Unsafe"/>).</summary>
    void Flush();

    /// <summary>
    /// Tells whether the bytes at <paramref name="offset"/> are data or a hole, and for how many bytes (1 to
    /// <paramref name="length"/>) the answer holds. Storage that cannot tell answers data. The range must lie in the file.
    /// </summary>
    (long Length, bool IsHole) NextRange(long offset, long length);

    /// <summary>Space that the file occupies on its storage in bytes; its length where the storage cannot tell.</summary>
    long AllocatedBytes { get; }
}

/// <summary>How <see cref="IBlockFile.WriteZeroes"/> may reach its end.</summary>
public enum ZeroMode
{
    /// <summary>The space may be given back: the range may become a hole.</summary>
    MayUnmap,

    /// <summary>The range stays (or becomes) allocated.</summary>
    KeepAllocated,
}
