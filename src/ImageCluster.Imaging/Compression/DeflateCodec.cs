using System.Runtime.InteropServices;

namespace ImageCluster.Imaging.Compression;

/// <summary>Deflate, raw or with zlib's header: zlib-ng compresses; libdeflate inflates where there is one, else zlib-ng.</summary>
internal sealed unsafe class DeflateCodec : IClusterCodec
{
    private readonly string? _file;
    private readonly bool _zlibHeader;
    private readonly bool _wholeStream;
    private readonly int _writeBits;
    private readonly int _readBits;
    private readonly LibDeflate? _fast;
    private readonly StatePool _inflaters;
    private readonly StatePool? _fastInflaters;

    /// <param name="file">For messages.</param>
    /// <param name="zlibHeader">With RFC 1950's header and trailer.</param>
    /// <param name="windowBits">Of what is written, 9 to 15; any window is read.</param>
    /// <param name="useLibDeflate">False keeps to zlib-ng (tests).</param>
    /// <param name="wholeStream">The stream must end, with a right checksum, exactly where the cluster is full.</param>
    public DeflateCodec(string? file, bool zlibHeader, int windowBits, bool useLibDeflate = true, bool wholeStream = false)
    {
        _wholeStream = wholeStream;
        _file = file;
        _zlibHeader = zlibHeader;
        _writeBits = zlibHeader ? windowBits : -windowBits;
        _readBits = zlibHeader ? 15 : -15;
        _inflaters = new StatePool(CreateInflater, DestroyInflater);
        if (useLibDeflate && LibDeflate.Loaded is { } fast)
        {
            _fast = fast;
            _fastInflaters = new StatePool(fast.Allocate, fast.Free);
        }
    }

    public int Compress(ReadOnlySpan<byte> source, Span<byte> target)
    {
        // The library exports no reset for deflate, so each cluster gets a state of its own (some 10 microseconds).
        ZlibNative.ZStream stream = default;
        int result = ZlibNative.DeflateInit2(&stream, ZlibNative.DefaultLevel, ZlibNative.Deflated, _writeBits, ZlibNative.MemLevel, 0);
        if (result != ZlibNative.Ok)
        {
            throw new InsufficientMemoryException($"Deflate cannot start (zlib error {result}).");
        }

        try
        {
            fixed (byte* from = source)
            fixed (byte* to = target)
            {
                stream.NextIn = from;
                stream.AvailIn = (uint)source.Length;
                stream.NextOut = to;
                stream.AvailOut = (uint)target.Length;
                return ZlibNative.Deflate(&stream, ZlibNative.Finish) == ZlibNative.StreamEnd ? target.Length - (int)stream.AvailOut : 0;
            }
        }
        finally
        {
            _ = ZlibNative.DeflateEnd(&stream);
        }
    }

    public void Decompress(ReadOnlySpan<byte> source, Span<byte> target)
    {
        if (target.IsEmpty)
        {
            return;
        }

        if (_fastInflaters is not null)
        {
            nint fast = _fastInflaters.Rent();
            bool done = _fast!.TryDecompress(fast, _zlibHeader, source, target);
            _fastInflaters.Return(fast);
            if (done)
            {
                return;
            }

            // A stream may be without its end, or longer than the cluster; QEMU reads these, so zlib-ng has the last word.
        }

        nint state = _inflaters.Rent();
        try
        {
            Inflate((ZlibNative.ZStream*)state, source, target);
        }
        finally
        {
            _inflaters.Return(state);
        }
    }

    public void Dispose()
    {
        _inflaters.Dispose();
        _fastInflaters?.Dispose();
    }

    private void Inflate(ZlibNative.ZStream* stream, ReadOnlySpan<byte> source, Span<byte> target)
    {
        if (ZlibNative.InflateReset2(stream, _readBits) != ZlibNative.Ok)
        {
            throw new InvalidOperationException("Inflate cannot start anew.");
        }

        fixed (byte* from = source)
        fixed (byte* to = target)
        {
            stream->NextIn = from;
            stream->AvailIn = (uint)source.Length;
            stream->NextOut = to;
            stream->AvailOut = (uint)target.Length;
            int result = ZlibNative.Inflate(stream, ZlibNative.Finish);
            if (result is not (ZlibNative.StreamEnd or ZlibNative.BufError or ZlibNative.Ok) || (_wholeStream && result != ZlibNative.StreamEnd))
            {
                throw ClusterCodecs.Damaged(_file, "the deflate stream is damaged");
            }

            if (stream->AvailOut > 0)
            {
                string end = result == ZlibNative.StreamEnd ? "the deflate stream ends" : "the data end";
                throw ClusterCodecs.Damaged(_file, $"{end} after {target.Length - (int)stream->AvailOut:#,0} of {target.Length:#,0} bytes");
            }
        }
    }

    private nint CreateInflater()
    {
        var stream = (ZlibNative.ZStream*)NativeMemory.AllocZeroed((nuint)sizeof(ZlibNative.ZStream));
        if (ZlibNative.InflateInit2(stream, _readBits) == ZlibNative.Ok)
        {
            return (nint)stream;
        }

        NativeMemory.Free(stream);
        return 0;
    }

    private static void DestroyInflater(nint state)
    {
        _ = ZlibNative.InflateEnd((ZlibNative.ZStream*)state);
        NativeMemory.Free((void*)state);
    }
}
