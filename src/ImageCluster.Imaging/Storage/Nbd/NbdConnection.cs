using System.Buffers.Binary;
using System.Net.Sockets;

namespace ImageCluster.Imaging.Storage.Nbd;

/// <summary>
/// One connection in transmission. Any number of threads put requests on it; a thread of its own takes the replies, in whatever order they
/// come. A connection that broke stays broken.
/// </summary>
internal sealed class NbdConnection : IDisposable
{
    private const int HeaderLength = 28;

    // Payloads up to this length go out in one call with their header.
    private const int SmallPayload = 4096;

    // Less than this within the whole timeout, and no answer complete, is not getting on.
    private const long LeastProgress = 64 << 10;

    private readonly Socket _socket;
    private readonly NbdStream _stream;
    private readonly NbdSettings _settings;
    private readonly Lock _gate = new();
    private readonly Lock _sending = new();
    private readonly Dictionary<ulong, NbdRequest> _pending = [];
    private readonly Thread _receiver;
    private readonly byte[] _sendBuffer = new byte[HeaderLength + SmallPayload];
    private volatile NbdConnectionException? _failure;
    private bool _ended;
    private ulong _lastCookie;
    private long _answers;

    /// <param name="socket">Connected; owned from here on.</param>
    /// <param name="stream">On the socket, at the start of transmission.</param>
    /// <param name="export">What was agreed.</param>
    /// <param name="settings">How patient to be.</param>
    public NbdConnection(Socket socket, NbdStream stream, NbdExport export, NbdSettings settings)
    {
        _socket = socket;
        _stream = stream;
        _settings = settings;
        Export = export;
        socket.SendTimeout = (int)settings.Timeout.TotalMilliseconds;
        _receiver = new Thread(ReceiveAll) { IsBackground = true, Name = "nbd" };
        _receiver.Start();
    }

    public NbdExport Export { get; }

    public bool IsAlive => _failure is null;

    /// <summary>Why it broke; null while it is alive.</summary>
    public NbdConnectionException? Failure => _failure;

    /// <summary>Requests that wait for their answer.</summary>
    public int Pending
    {
        get
        {
            lock (_gate)
            {
                return _pending.Count;
            }
        }
    }

    /// <summary>Sends a request; its answer is waited for with <see cref="Wait"/>. What goes wrong on the way is told there, or thrown here.</summary>
    public void Submit(NbdRequest request, ReadOnlySpan<byte> payload)
    {
        lock (_gate)
        {
            if (_ended || _failure is not null)
            {
                throw _failure!;
            }

            request.Cookie = ++_lastCookie;
            _pending.Add(request.Cookie, request);
        }

        try
        {
            lock (_sending)
            {
                Send(request, payload);
            }
        }
        catch (NbdConnectionException e)
        {
            Break(e);
        }
    }

    /// <summary>Returns when the request is answered; the answer may be an error.</summary>
    /// <exception cref="NbdConnectionException">The connection broke before.</exception>
    public void Wait(NbdRequest request)
    {
        TimeSpan timeout = request.Command == NbdCommand.Flush ? _settings.FlushTimeout : _settings.Timeout;
        Task[] done = [request.Done];
        (long bytes, long answers) = (_stream.Received, Volatile.Read(ref _answers));
        while (Task.WaitAny(done, timeout) < 0)
        {
            (long bytesNow, long answersNow) = (_stream.Received, Volatile.Read(ref _answers));
            if (bytesNow - bytes < LeastProgress && answersNow == answers)
            {
                Break(new NbdConnectionException($"the server has not answered for {timeout.TotalSeconds:0.#} seconds", mayRetry: true));
                break;
            }

            (bytes, answers) = (bytesNow, answersNow);
        }

        // The receiver ends every request, that of a broken connection too: only then is it out of the request's buffer.
        request.Done.GetAwaiter().GetResult();
    }

    public void Dispose()
    {
        if (_failure is null)
        {
            try
            {
                lock (_sending)
                {
                    Send(new NbdRequest(NbdCommand.Disconnect, NbdCommandFlags.None, 0, 0), []);
                }
            }
            catch (NbdConnectionException)
            {
                // It is gone already.
            }

            Break(new NbdConnectionException("the connection is closed", mayRetry: false));
        }

        _receiver.Join();
    }

    private void Send(NbdRequest request, ReadOnlySpan<byte> payload)
    {
        Span<byte> header = _sendBuffer;
        BinaryPrimitives.WriteUInt32BigEndian(header, NbdWire.RequestMagic);
        BinaryPrimitives.WriteUInt16BigEndian(header[4..], (ushort)request.Flags);
        BinaryPrimitives.WriteUInt16BigEndian(header[6..], (ushort)request.Command);
        BinaryPrimitives.WriteUInt64BigEndian(header[8..], request.Cookie);
        BinaryPrimitives.WriteUInt64BigEndian(header[16..], (ulong)request.Offset);
        BinaryPrimitives.WriteUInt32BigEndian(header[24..], request.Length);
        int first = Math.Min(payload.Length, SmallPayload);
        payload[..first].CopyTo(header[HeaderLength..]);
        _stream.Write(header[..(HeaderLength + first)]);
        if (payload.Length > first)
        {
            _stream.Write(payload[first..]);
        }
    }

    private void ReceiveAll()
    {
        var reader = new NbdReplyReader(_stream, Export);
        try
        {
            while (true)
            {
                NbdRequest request = reader.Receive(Find, out bool isLast);
                if (isLast)
                {
                    lock (_gate)
                    {
                        _pending.Remove(request.Cookie);
                    }

                    Interlocked.Increment(ref _answers);
                    request.Complete();
                }
            }
        }
        catch (NbdConnectionException e)
        {
            Break(e);
        }
        finally
        {
            End();
        }
    }

    private NbdRequest? Find(ulong cookie)
    {
        lock (_gate)
        {
            return _pending.GetValueOrDefault(cookie);
        }
    }

    // Makes the receiver stop; the first reason is the one that is told.
    private void Break(NbdConnectionException reason)
    {
        lock (_gate)
        {
            _failure ??= reason;
        }

        try
        {
            _socket.Shutdown(SocketShutdown.Both);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // Then nobody reads from it any more.
        }
    }

    private void End()
    {
        List<NbdRequest> left;
        lock (_gate)
        {
            _ended = true;
            _failure ??= new NbdConnectionException("the receiver failed", mayRetry: false);
            left = [.. _pending.Values];
            _pending.Clear();
        }

        _stream.Dispose();
        _socket.Dispose();
        left.ForEach(request => request.Abandon(_failure));
    }
}
