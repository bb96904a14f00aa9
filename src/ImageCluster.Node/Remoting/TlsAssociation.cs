using System.Buffers;
using System.Buffers.Binary;
using System.Net.Security;
using System.Net.Sockets;
using System.Threading.Channels;
using Akka.Actor;
using Akka.Remote.Transport;
using Google.Protobuf;

namespace ImageCluster.Node.Remoting;

/// <summary>A connection to another node, both of which have proved themselves: frames of a length (4 bytes, little-endian) and so many bytes.</summary>
internal sealed class TlsAssociation : AssociationHandle, IDisposable
{
    private const int Batch = 64 << 10;
    private const int LargestKept = 1 << 20;

    /// <summary>Bytes that wait to go out, at which Akka is told to hold back: it then lets what is urgent (heartbeats) go first.</summary>
    private const long HighWater = 4 << 20;

    /// <summary>How long what was written before the end may take to go out.</summary>
    private static readonly TimeSpan DrainTime = TimeSpan.FromSeconds(5);

    private readonly Channel<ByteString> _out = Channel.CreateUnbounded<ByteString>(new UnboundedChannelOptions { SingleReader = true });
    private readonly CancellationTokenSource _stop = new();
    private readonly SslStream _stream;
    private readonly long _maxFrame;
    private long _waiting;

    /// <param name="local">This node.</param>
    /// <param name="remote">The other.</param>
    /// <param name="stream">It is closed with this.</param>
    /// <param name="maxFrame">Bytes that a frame may have.</param>
    public TlsAssociation(Address local, Address remote, SslStream stream, long maxFrame)
        : base(local, remote) => (_stream, _maxFrame) = (stream, maxFrame);

    /// <summary>The other has said something.</summary>
    public bool HasHeard { get; private set; }

    public override bool Write(ByteString payload)
    {
        if (Interlocked.Read(ref _waiting) >= HighWater || !_out.Writer.TryWrite(payload))
        {
            return false;
        }

        Interlocked.Add(ref _waiting, payload.Length);
        return true;
    }

#pragma warning disable CS0672 // Akka calls this one, by way of the one that is not obsolete.
    public override void Disassociate() => End();
#pragma warning restore CS0672

    public void Dispose()
    {
        _stream.Dispose();
        _stop.Dispose();
    }

    /// <summary>Carries what is written and read until either side ends it.</summary>
    /// <returns>What ended it, in one line; null where one of the two wanted to.</returns>
    public async Task<string?> RunAsync()
    {
        Task<string?> writing = WriteAllAsync();
        IHandleEventListener? listener = null;
        string? problem = null;
        try
        {
            listener = await ReadHandlerSource.Task.WaitAsync(_stop.Token);
            await ReadAllAsync(listener);
        }
        catch (Exception e) when (IsEnd(e))
        {
            problem = _stop.IsCancellationRequested || _out.Reader.Completion.IsCompleted ? null : (e.InnerException ?? e).Message.ReplaceLineEndings(" ");
        }

        End();
        problem = await writing ?? problem;
        listener?.Notify(new Disassociated(DisassociateInfo.Unknown));
        return problem;
    }

    private void End()
    {
        if (_out.Writer.TryComplete())
        {
            _stop.CancelAfter(DrainTime);
        }
    }

    private async Task ReadAllAsync(IHandleEventListener listener)
    {
        var header = new byte[sizeof(int)];
        while (await _stream.ReadAtLeastAsync(header, header.Length, throwOnEndOfStream: false, _stop.Token) is var got and > 0)
        {
            int length = BinaryPrimitives.ReadInt32LittleEndian(header);
            if (got < header.Length || length < 0 || length > _maxFrame)
            {
                throw new InvalidDataException(got < header.Length ? "the connection ended within a frame" : $"a frame of {length} bytes; {_maxFrame} are allowed");
            }

            var payload = new byte[length];
            await _stream.ReadExactlyAsync(payload, _stop.Token);
            HasHeard = true;
            listener.Notify(new InboundPayload(UnsafeByteOperations.UnsafeWrap(payload)));
        }
    }

    // What was written at one time goes out as one.
    private async Task<string?> WriteAllAsync()
    {
        var buffer = new ArrayBufferWriter<byte>(Batch);
        try
        {
            while (await _out.Reader.WaitToReadAsync(_stop.Token))
            {
                long taken = 0;
                while (buffer.WrittenCount < Batch && _out.Reader.TryRead(out ByteString? payload))
                {
                    BinaryPrimitives.WriteInt32LittleEndian(buffer.GetSpan(sizeof(int)), payload.Length);
                    buffer.Advance(sizeof(int));
                    buffer.Write(payload.Span);
                    taken += payload.Length;
                }

                await _stream.WriteAsync(buffer.WrittenMemory, _stop.Token);
                Interlocked.Add(ref _waiting, -taken);
                buffer.ResetWrittenCount();
                if (buffer.Capacity > LargestKept)
                {
                    buffer = new ArrayBufferWriter<byte>(Batch);
                }
            }

            await _stream.ShutdownAsync();
            return null;
        }
        catch (Exception e) when (IsEnd(e))
        {
            return _stop.IsCancellationRequested ? null : (e.InnerException ?? e).Message.ReplaceLineEndings(" ");
        }
        finally
        {
            _out.Writer.TryComplete();
            await _stop.CancelAsync();
        }
    }

    private static bool IsEnd(Exception e) => e is IOException or SocketException or ObjectDisposedException or OperationCanceledException or InvalidOperationException
        or InvalidDataException or System.Security.Authentication.AuthenticationException;
}
