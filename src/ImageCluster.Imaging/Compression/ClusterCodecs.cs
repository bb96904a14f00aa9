namespace ImageCluster.Imaging.Compression;

/// <summary>
/// Makes codecs. Which library does the work is decided by what the system has; the streams are the same formats either way.
/// </summary>
public static class ClusterCodecs
{
    /// <summary>
    /// Raw deflate (RFC 1951) as qcow2 has it: written with a window of 4 KiB, because QEMU's readers open with 12 bits; read with any window.
    /// </summary>
    /// <param name="file">The image's name, for messages.</param>
    public static IClusterCodec Deflate(string? file) => new DeflateCodec(file, zlibHeader: false, windowBits: 12);

    /// <summary>Deflate with zlib's header and checksum (RFC 1950): vmdk streamOptimized, cloop, dmg. Written and read with a window of 32 KiB.</summary>
    /// <param name="file">The image's name, for messages.</param>
    /// <param name="wholeStream">
    /// A stream that does not end, with a right checksum, exactly where the cluster is full is damaged (QEMU's cloop and dmg); otherwise what
    /// fills the cluster is taken.
    /// </param>
    public static IClusterCodec Zlib(string? file, bool wholeStream = false) => new DeflateCodec(file, zlibHeader: true, windowBits: 15, wholeStream: wholeStream);

    /// <summary>Zstandard frames (RFC 8878) at the library's default level: by <c>libzstd.so.1</c> where the system has it, else by managed code.</summary>
    /// <param name="file">The image's name, for messages.</param>
    public static IClusterCodec Zstd(string? file) => ZstdLibrary.Loaded is { } library
        ? new NativeZstdCodec(library, file)
        : new ManagedZstdCodec(file);

    internal static ImageException Damaged(string? file, string what) =>
        new(ImageErrorKind.Corrupt, file, $"Compressed cluster cannot be inflated: {what}");
}
