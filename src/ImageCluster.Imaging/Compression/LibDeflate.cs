using System.Runtime.InteropServices;

namespace ImageCluster.Imaging.Compression;

/// <summary>
/// libdeflate where the system has it: inflates about twice as fast as zlib-ng. Not used for compressing, because it cannot keep
/// to the 4 KiB window of qcow2.
/// </summary>
internal sealed unsafe class LibDeflate
{
    private readonly delegate* unmanaged[Cdecl]<nint> _alloc;
    private readonly delegate* unmanaged[Cdecl]<nint, void> _free;
    private readonly delegate* unmanaged[Cdecl]<nint, byte*, nuint, byte*, nuint, nuint*, nuint*, int> _deflate;
    private readonly delegate* unmanaged[Cdecl]<nint, byte*, nuint, byte*, nuint, nuint*, nuint*, int> _zlib;

    private LibDeflate(nint alloc, nint free, nint deflate, nint zlib)
    {
        _alloc = (delegate* unmanaged[Cdecl]<nint>)alloc;
        _free = (delegate* unmanaged[Cdecl]<nint, void>)free;
        _deflate = (delegate* unmanaged[Cdecl]<nint, byte*, nuint, byte*, nuint, nuint*, nuint*, int>)deflate;
        _zlib = (delegate* unmanaged[Cdecl]<nint, byte*, nuint, byte*, nuint, nuint*, nuint*, int>)zlib;
    }

    /// <summary>Null where the library, or one of the functions, is missing.</summary>
    public static LibDeflate? Loaded { get; } = TryLoad();

    public nint Allocate() => _alloc();

    public void Free(nint state) => _free(state);

    /// <summary>True where the stream at the start of the source fills the target exactly; false says only that somebody else must look.</summary>
    public bool TryDecompress(nint state, bool zlibHeader, ReadOnlySpan<byte> source, Span<byte> target)
    {
        fixed (byte* from = source)
        fixed (byte* to = target)
        {
            // Without a place for the count of bytes written the library insists on filling the target.
            nuint consumed;
            return (zlibHeader ? _zlib : _deflate)(state, from, (nuint)source.Length, to, (nuint)target.Length, &consumed, null) == 0;
        }
    }

    private static LibDeflate? TryLoad() =>
        NativeLibrary.TryLoad("libdeflate.so.0", out nint library) &&
        NativeLibrary.TryGetExport(library, "libdeflate_alloc_decompressor", out nint alloc) &&
        NativeLibrary.TryGetExport(library, "libdeflate_free_decompressor", out nint free) &&
        NativeLibrary.TryGetExport(library, "libdeflate_deflate_decompress_ex", out nint deflate) &&
        NativeLibrary.TryGetExport(library, "libdeflate_zlib_decompress_ex", out nint zlib)
            ? new LibDeflate(alloc, free, deflate, zlib)
            : null;
}
