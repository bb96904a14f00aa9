using System.Buffers.Binary;

namespace ImageCluster.Imaging.Storage.Nbd;

/// <summary>
/// What is read and written on a connection, in whole numbers and whole spans. One thread reads and one writes at a time. Small reads come from
/// a buffer, so that a reply's head costs no call of its own.
/// </summary>
internal sealed class NbdStream(Stream inner) : IDisposable
{
    private const int BufferLength = 4096;

    private readonly byte[] _buffer = new byte[BufferLength];
    private Stream _inner = inner;
    private int _start;
    private int _end;
    private long _received;

    /// <summary>Bytes received so far; any thread may look.</summary>
    public long Received => Volatile.Read(ref _received);

    /// <summary>True where nothing is left of what was received.</summary>
    public bool IsDrained => _start == _end;

    /// <summary>Fills <paramref name="target"/>.</summary>
    /// <param name="target">The bytes.</param>
    /// <param name="what">Before the reason in messages ("Failed to read ...").</param>
    public void Read(Span<byte> target, string what)
    {
        while (target.Length > 0)
        {
            if (_start == _end && target.Length >= BufferLength)
            {
                target = target[Receive(target, what)..];
                continue;
            }

            if (_start == _end)
            {
                _start = 0;
                _end = 0;
                _end = Receive(_buffer, what);
            }

            int part = Math.Min(target.Length, _end - _start);
            _buffer.AsSpan(_start, part).CopyTo(target);
            _start += part;
            target = target[part..];
        }
    }

    public ulong ReadUInt64(string what)
    {
        Span<byte> bytes = stackalloc byte[8];
        Read(bytes, what);
        return BinaryPrimitives.ReadUInt64BigEndian(bytes);
    }

    public uint ReadUInt32(string what)
    {
        Span<byte> bytes = stackalloc byte[4];
        Read(bytes, what);
        return BinaryPrimitives.ReadUInt32BigEndian(bytes);
    }

    public ushort ReadUInt16(string what)
    {
        Span<byte> bytes = stackalloc byte[2];
        Read(bytes, what);
        return BinaryPrimitives.ReadUInt16BigEndian(bytes);
    }

    /// <summary>Reads and forgets.</summary>
    public void Skip(long length, string what)
    {
        Span<byte> scrap = stackalloc byte[512];
        for (; length > 0; length -= Math.Min(length, scrap.Length))
        {
            Read(scrap[..(int)Math.Min(length, scrap.Length)], what);
        }
    }

    public void Write(ReadOnlySpan<byte> bytes)
    {
        try
        {
            _inner.Write(bytes);
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException or InvalidOperationException)
        {
            throw new NbdConnectionException($"Failed to send: {Reason(e)}", mayRetry: true, e);
        }
    }

    /// <summary>From here on all goes through what <paramref name="layer"/> puts on the stream (TLS).</summary>
    public void Wrap(Func<Stream, Stream> layer) => _inner = layer(_inner);

    public void Dispose() => _inner.Dispose();

    private int Receive(Span<byte> target, string what)
    {
        int received;
        try
        {
            received = _inner.Read(target);
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException or InvalidOperationException)
        {
            throw new NbdConnectionException($"Failed to read {what}: {Reason(e)}", mayRetry: true, e);
        }

        if (received == 0)
        {
            throw new NbdConnectionException($"Failed to read {what}: Unexpected end-of-file before all data were read", mayRetry: true);
        }

        Volatile.Write(ref _received, _received + received);
        return received;
    }

    private static string Reason(Exception e) =>
        e is ObjectDisposedException ? "the connection is closed" : (e.InnerException ?? e).Message.ReplaceLineEndings(" ");
}
