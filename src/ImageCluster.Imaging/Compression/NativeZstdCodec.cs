namespace ImageCluster.Imaging.Compression;

/// <summary>Zstandard by the system's library.</summary>
internal sealed class NativeZstdCodec : IClusterCodec
{
    private readonly ZstdLibrary _library;
    private readonly string? _file;
    private readonly StatePool _compressors;
    private readonly StatePool _decompressors;

    public NativeZstdCodec(ZstdLibrary library, string? file)
    {
        _library = library;
        _file = file;
        _compressors = new StatePool(library.CreateCompressor, library.FreeCompressor);
        _decompressors = new StatePool(library.CreateDecompressor, library.FreeDecompressor);
    }

    public int Compress(ReadOnlySpan<byte> source, Span<byte> target)
    {
        nint state = _compressors.Rent();
        int written = _library.Compress(state, source, target);
        _compressors.Return(state);
        return Math.Max(written, 0);
    }

    public void Decompress(ReadOnlySpan<byte> source, Span<byte> target)
    {
        nint state = _decompressors.Rent();
        try
        {
            // Frame by frame into the target: without a window of its own, whatever window size a frame claims.
            for (int done = 0; done < target.Length;)
            {
                int length = _library.FrameLength(source);
                if (length <= 0)
                {
                    throw ZstdFrames.NoWholeFrame(_file, done, target.Length);
                }

                int written = _library.Decompress(state, source[..length], target[done..]);
                if (written < 0)
                {
                    throw ZstdFrames.DamagedFrame(_file);
                }

                done += written;
                source = source[length..];
            }
        }
        finally
        {
            _decompressors.Return(state);
        }
    }

    public void Dispose()
    {
        _compressors.Dispose();
        _decompressors.Dispose();
    }
}
