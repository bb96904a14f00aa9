using System.Buffers.Binary;
using System.Net.Sockets;
using System.Text;

namespace ImageCluster.Testing.Nbd;

/// <summary>The server's end of one connection, in the words of the protocol's specification; says nothing by itself.</summary>
public sealed class NbdPeer(Socket socket) : IDisposable
{
    private readonly NetworkStream _stream = new(socket, ownsSocket: true);
    private long _sent;
    private (long Position, byte Flip) _corruption = (-1, 0);

    /// <summary>Sends big-endian numbers (of 2, 4 or 8 bytes by their type), strings and bytes.</summary>
    public void Send(params object[] parts)
    {
        using MemoryStream message = new();
        foreach (object part in parts)
        {
            message.Write(part switch
            {
                ushort number => Big(number, 2),
                uint number => Big(number, 4),
                ulong number => Big(number, 8),
                string text => Encoding.UTF8.GetBytes(text),
                byte[] bytes => bytes,
                _ => throw new ArgumentException($"cannot send a {part.GetType()}"),
            });
        }

        Span<byte> all = message.GetBuffer().AsSpan(0, (int)message.Length);
        if (_corruption.Position >= _sent && _corruption.Position < _sent + all.Length)
        {
            all[(int)(_corruption.Position - _sent)] ^= _corruption.Flip;
        }

        _sent += all.Length;
        _stream.Write(all);
    }

    /// <summary>Changes one byte of what will be sent on the whole.</summary>
    public void Corrupt(long position, byte flip) => _corruption = (position, flip);

    public byte[] Receive(int length)
    {
        byte[] bytes = new byte[length];
        _stream.ReadExactly(bytes);
        return bytes;
    }

    /// <summary>The greeting of fixed newstyle negotiation, up to the client's flags.</summary>
    public void Greet(ushort flags = 3)
    {
        Send("NBDMAGIC", "IHAVEOPT", flags);
        Receive(4);
    }

    /// <summary>The client's next option.</summary>
    public (uint Option, byte[] Data) ReceiveOption()
    {
        byte[] head = Receive(16);
        int length = (int)BinaryPrimitives.ReadUInt32BigEndian(head.AsSpan(12));
        return (BinaryPrimitives.ReadUInt32BigEndian(head.AsSpan(8)), Receive(length));
    }

    /// <summary>Replies to an option.</summary>
    public void Reply(uint option, uint type, params object[] payload)
    {
        int length = payload.Sum(static p => p switch { ushort => 2, uint => 4, ulong => 8, string s => Encoding.UTF8.GetByteCount(s), byte[] b => b.Length, _ => 0 });
        Send([0x0003e889045565a9UL, option, type, (uint)length, .. payload]);
    }

    /// <summary>
    /// Negotiates as an honest server with one export of that size: with structured replies, base:allocation as context 1, and block sizes
    /// where <paramref name="minimum"/> is not 0.
    /// </summary>
    public void Negotiate(ulong size, ushort flags = 1, bool structured = true, uint minimum = 0)
    {
        Greet();
        while (true)
        {
            (uint option, _) = ReceiveOption();
            switch (option)
            {
                case 8 when structured:
                    Reply(8, 1);
                    break;
                case 10 when structured:
                    Reply(10, 4, 1u, "base:allocation");
                    Reply(10, 1);
                    break;
                case 7:
                    Reply(7, 3, (ushort)0, size, flags);
                    if (minimum > 0)
                    {
                        Reply(7, 3, (ushort)3, minimum, Math.Max(minimum, 4096u), 32u << 20);
                    }

                    Reply(7, 1);
                    return;
                default:
                    Reply(option, 0x80000001);
                    break;
            }
        }
    }

    /// <summary>The client's next request, with the payload of a write; null when it says goodbye.</summary>
    public NbdPeerRequest? ReceiveRequest()
    {
        byte[] head = Receive(28);
        ushort command = BinaryPrimitives.ReadUInt16BigEndian(head.AsSpan(6));
        uint length = BinaryPrimitives.ReadUInt32BigEndian(head.AsSpan(24));
        byte[] payload = command == 1 ? Receive((int)length) : [];
        return command == 2
            ? null
            : new NbdPeerRequest(
                BinaryPrimitives.ReadUInt16BigEndian(head.AsSpan(4)),
                command,
                BinaryPrimitives.ReadUInt64BigEndian(head.AsSpan(8)),
                BinaryPrimitives.ReadUInt64BigEndian(head.AsSpan(16)),
                length,
                payload);
    }

    public void SimpleReply(ulong cookie, uint error = 0) => Send(0x67446698u, error, cookie);

    /// <summary>One chunk of a structured reply; its length is that of the payload.</summary>
    public void Chunk(ulong cookie, ushort type, bool done, params object[] payload)
    {
        int length = payload.Sum(static p => p switch { ushort => 2, uint => 4, ulong => 8, string s => Encoding.UTF8.GetByteCount(s), byte[] b => b.Length, _ => 0 });
        Send([0x668e33efu, done ? (ushort)1 : (ushort)0, type, cookie, (uint)length, .. payload]);
    }

    /// <summary>Answers a read in full with these bytes.</summary>
    public void Data(NbdPeerRequest request, byte[] data) => Chunk(request.Cookie, 1, true, request.Offset, data);

    public void Dispose() => _stream.Dispose();

    private static byte[] Big(ulong number, int length)
    {
        byte[] bytes = new byte[8];
        BinaryPrimitives.WriteUInt64BigEndian(bytes, number);
        return bytes[(8 - length)..];
    }
}

/// <summary>A request as it came.</summary>
public sealed record NbdPeerRequest(ushort Flags, ushort Command, ulong Cookie, ulong Offset, uint Length, byte[] Payload);
