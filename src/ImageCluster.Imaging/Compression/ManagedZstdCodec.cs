using System.Collections.Concurrent;
using ZstdSharp;
using ZstdSharp.Unsafe;

namespace ImageCluster.Imaging.Compression;

/// <summary>Zstandard by managed code, for systems without libzstd.</summary>
internal sealed unsafe class ManagedZstdCodec(string? file) : IClusterCodec
{
    private readonly ConcurrentBag<Compressor> _compressors = [];
    private readonly ConcurrentBag<Decompressor> _decompressors = [];

    public int Compress(ReadOnlySpan<byte> source, Span<byte> target)
    {
        if (!_compressors.TryTake(out Compressor? state))
        {
            state = new Compressor();
        }

        bool fits = state.TryWrap(source, target, out int written);
        _compressors.Add(state);
        return fits ? written : 0;
    }

    public void Decompress(ReadOnlySpan<byte> source, Span<byte> target)
    {
        if (!_decompressors.TryTake(out Decompressor? state))
        {
            state = new Decompressor();
        }

        try
        {
            for (int done = 0; done < target.Length;)
            {
                int length = FrameLength(source);
                if (length <= 0)
                {
                    throw ZstdFrames.NoWholeFrame(file, done, target.Length);
                }

                int written = Unwrap(state, source[..length], target[done..]);
                done += written;
                source = source[length..];
            }
        }
        finally
        {
            _decompressors.Add(state);
        }
    }

    public void Dispose()
    {
        while (_compressors.TryTake(out Compressor? state))
        {
            state.Dispose();
        }

        while (_decompressors.TryTake(out Decompressor? state))
        {
            state.Dispose();
        }
    }

    private int Unwrap(Decompressor state, ReadOnlySpan<byte> frame, Span<byte> target)
    {
        try
        {
            return state.TryUnwrap(frame, target, out int written) ? written : throw ZstdFrames.DamagedFrame(file);
        }
        catch (ZstdException)
        {
            throw ZstdFrames.DamagedFrame(file);
        }
    }

    private static int FrameLength(ReadOnlySpan<byte> source)
    {
        fixed (byte* from = source)
        {
            nuint length = Methods.ZSTD_findFrameCompressedSize(from, (nuint)source.Length);
            return Methods.ZSTD_isError(length) ? -1 : (int)length;
        }
    }
}
