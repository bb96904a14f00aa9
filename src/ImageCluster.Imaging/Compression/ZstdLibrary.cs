using System.Runtime.InteropServices;

namespace ImageCluster.Imaging.Compression;

/// <summary>The system's libzstd, found at run time. Only functions of its stable interface (1.4 and later).</summary>
internal sealed unsafe class ZstdLibrary
{
    private readonly delegate* unmanaged[Cdecl]<nint> _createCompressor;
    private readonly delegate* unmanaged[Cdecl]<nint, nuint> _freeCompressor;
    private readonly delegate* unmanaged[Cdecl]<nint> _createDecompressor;
    private readonly delegate* unmanaged[Cdecl]<nint, nuint> _freeDecompressor;
    private readonly delegate* unmanaged[Cdecl]<nint, byte*, nuint, byte*, nuint, nuint> _compress;
    private readonly delegate* unmanaged[Cdecl]<nint, byte*, nuint, byte*, nuint, nuint> _decompress;
    private readonly delegate* unmanaged[Cdecl]<byte*, nuint, nuint> _frameSize;
    private readonly delegate* unmanaged[Cdecl]<nuint, uint> _isError;

    private ZstdLibrary(nint library)
    {
        _createCompressor = (delegate* unmanaged[Cdecl]<nint>)NativeLibrary.GetExport(library, "ZSTD_createCCtx");
        _freeCompressor = (delegate* unmanaged[Cdecl]<nint, nuint>)NativeLibrary.GetExport(library, "ZSTD_freeCCtx");
        _createDecompressor = (delegate* unmanaged[Cdecl]<nint>)NativeLibrary.GetExport(library, "ZSTD_createDCtx");
        _freeDecompressor = (delegate* unmanaged[Cdecl]<nint, nuint>)NativeLibrary.GetExport(library, "ZSTD_freeDCtx");
        _compress = (delegate* unmanaged[Cdecl]<nint, byte*, nuint, byte*, nuint, nuint>)NativeLibrary.GetExport(library, "ZSTD_compress2");
        _decompress = (delegate* unmanaged[Cdecl]<nint, byte*, nuint, byte*, nuint, nuint>)NativeLibrary.GetExport(library, "ZSTD_decompressDCtx");
        _frameSize = (delegate* unmanaged[Cdecl]<byte*, nuint, nuint>)NativeLibrary.GetExport(library, "ZSTD_findFrameCompressedSize");
        _isError = (delegate* unmanaged[Cdecl]<nuint, uint>)NativeLibrary.GetExport(library, "ZSTD_isError");
    }

    /// <summary>Null where the library is missing or too old.</summary>
    public static ZstdLibrary? Loaded { get; } = TryLoad();

    public nint CreateCompressor() => _createCompressor();

    public void FreeCompressor(nint state) => _freeCompressor(state);

    public nint CreateDecompressor() => _createDecompressor();

    public void FreeDecompressor(nint state) => _freeDecompressor(state);

    /// <summary>Bytes written, -1 where the result does not fit.</summary>
    public int Compress(nint state, ReadOnlySpan<byte> source, Span<byte> target)
    {
        fixed (byte* from = source)
        fixed (byte* to = target)
        {
            return Checked(_compress(state, to, (nuint)target.Length, from, (nuint)source.Length));
        }
    }

    /// <summary>Inflates exactly one frame: bytes written, -1 on any error.</summary>
    public int Decompress(nint state, ReadOnlySpan<byte> frame, Span<byte> target)
    {
        fixed (byte* from = frame)
        fixed (byte* to = target)
        {
            return Checked(_decompress(state, to, (nuint)target.Length, from, (nuint)frame.Length));
        }
    }

    /// <summary>Length of the frame at the start of <paramref name="source"/>, -1 where there is none that is whole.</summary>
    public int FrameLength(ReadOnlySpan<byte> source)
    {
        fixed (byte* from = source)
        {
            return Checked(_frameSize(from, (nuint)source.Length));
        }
    }

    private int Checked(nuint result) => _isError(result) != 0 ? -1 : (int)result;

    private static ZstdLibrary? TryLoad()
    {
        if (!NativeLibrary.TryLoad("libzstd.so.1", out nint library) ||
            !NativeLibrary.TryGetExport(library, "ZSTD_compress2", out _) ||
            !NativeLibrary.TryGetExport(library, "ZSTD_findFrameCompressedSize", out _))
        {
            return null;
        }

        return new ZstdLibrary(library);
    }
}
