using System.Buffers.Binary;

namespace ImageCluster.Imaging.Storage.Nbd;

/// <summary>
/// Reads replies and puts what they carry into the requests that they answer. All that a server may say is bounded by what was asked: the
/// bytes of a read come once each, a block status once, errors a few times.
/// </summary>
internal sealed class NbdReplyReader(NbdStream stream, NbdExport export)
{
    private const int MaxErrorPayload = 6 + 8 + NbdWire.MaxString;

    /// <summary>Reads one reply or one chunk of one.</summary>
    /// <param name="find">The request under way with that cookie, or null.</param>
    /// <param name="isLast">True where the request is answered.</param>
    public NbdRequest Receive(Func<ulong, NbdRequest?> find, out bool isLast)
    {
        uint magic = stream.ReadUInt32("reply magic");
        switch (magic)
        {
            case NbdWire.SimpleReplyMagic:
                isLast = true;
                return ReceiveSimple(find);
            case NbdWire.StructuredReplyMagic when export.StructuredReplies:
                return ReceiveChunk(find, out isLast);
            default:
                throw NbdConnectionException.Protocol($"invalid magic 0x{magic:x} of a reply");
        }
    }

    private static NbdRequest Find(Func<ulong, NbdRequest?> find, ulong cookie) =>
        find(cookie) ?? throw NbdConnectionException.Protocol($"unexpected reply with cookie 0x{cookie:x}");

    private NbdRequest ReceiveSimple(Func<ulong, NbdRequest?> find)
    {
        uint error = stream.ReadUInt32("simple reply");
        NbdRequest request = Find(find, stream.ReadUInt64("simple reply"));
        if ((request.Command == NbdCommand.Read && export.StructuredReplies) || (request.Command == NbdCommand.BlockStatus && error == 0))
        {
            throw NbdConnectionException.Protocol("simple reply when structured reply chunk was expected");
        }

        if (error != 0)
        {
            request.Fail(error, null);
        }
        else if (request.Command == NbdCommand.Read)
        {
            stream.Read(request.Target.Span, "data");
            request.Coverage.Add(0, request.Length);
        }

        return request;
    }

    private NbdRequest ReceiveChunk(Func<ulong, NbdRequest?> find, out bool isLast)
    {
        isLast = (stream.ReadUInt16("structured reply chunk") & NbdWire.ReplyDone) != 0;
        var type = (NbdReplyType)stream.ReadUInt16("structured reply chunk");
        NbdRequest request = Find(find, stream.ReadUInt64("structured reply chunk"));
        uint length = stream.ReadUInt32("structured reply chunk");
        switch (type)
        {
            case NbdReplyType.None:
                Require(isLast && length == 0, "server sent an empty chunk that is not the last, or is not empty");
                break;
            case NbdReplyType.OffsetData:
                ReceiveData(request, length);
                break;
            case NbdReplyType.OffsetHole:
                ReceiveHole(request, length);
                break;
            case NbdReplyType.BlockStatus:
                ReceiveStatus(request, length);
                break;
            case NbdReplyType.Error:
            case NbdReplyType.ErrorOffset:
                ReceiveError(request, type, length);
                break;
            default:
                throw NbdConnectionException.Protocol($"server sent chunk of unknown type {(ushort)type}");
        }

        if (isLast && request.Error == 0)
        {
            Require(request.Command != NbdCommand.Read || request.Coverage.IsComplete, "server did not send all of a read's bytes");
            Require(request.Command != NbdCommand.BlockStatus || request.Extents is not null, "server did not reply with any status extents");
        }

        return request;
    }

    private void ReceiveData(NbdRequest request, uint length)
    {
        Require(request.Command == NbdCommand.Read && length > 8, "invalid payload for NBD_REPLY_TYPE_OFFSET_DATA");
        uint count = length - 8;
        int start = Cover(request, stream.ReadUInt64("offset"), count);
        stream.Read(request.Target.Span.Slice(start, (int)count), "data");
    }

    private void ReceiveHole(NbdRequest request, uint length)
    {
        Require(request.Command == NbdCommand.Read && length == 12, "invalid payload for NBD_REPLY_TYPE_OFFSET_HOLE");
        ulong offset = stream.ReadUInt64("offset");
        uint count = stream.ReadUInt32("hole size");
        int start = Cover(request, offset, count);
        request.Target.Span.Slice(start, (int)count).Clear();
    }

    // Where in the read's target a chunk belongs.
    private static int Cover(NbdRequest request, ulong offset, uint count)
    {
        Require(offset >= (ulong)request.Offset, "server sent chunk out of bounds of the request");
        ulong start = offset - (ulong)request.Offset;
        request.Coverage.Add(start, count);
        return (int)start;
    }

    private void ReceiveStatus(NbdRequest request, uint length)
    {
        Require(request.Command == NbdCommand.BlockStatus && request.Extents is null, "server sent a block status that was not asked for");
        Require(length >= 12 && length <= NbdWire.MaxPayload && (length - 4) % 8 == 0, "invalid payload for NBD_REPLY_TYPE_BLOCK_STATUS");
        Require(stream.ReadUInt32("context id") == export.AllocationContext, "unexpected context id");
        List<NbdExtent> extents = [];
        uint count = (length - 4) / 8;
        Span<byte> descriptor = stackalloc byte[8];
        for (uint i = 0; i < count; i++)
        {
            stream.Read(descriptor, "extent");
            uint run = BinaryPrimitives.ReadUInt32BigEndian(descriptor);
            var state = (NbdAllocation)(BinaryPrimitives.ReadUInt32BigEndian(descriptor[4..]) & 3);
            Require(run != 0, "server sent status chunk with zero length");
            if (extents.Count > 0 && extents[^1].State == state)
            {
                extents[^1] = extents[^1] with { Length = extents[^1].Length + run };
            }
            else if (extents.Count < NbdRequest.MaxExtents)
            {
                extents.Add(new NbdExtent(run, state));
            }
            else
            {
                stream.Skip((count - i - 1) * 8L, "extent");
                break;
            }
        }

        request.Extents = extents;
    }

    private void ReceiveError(NbdRequest request, NbdReplyType type, uint length)
    {
        // One error would do; one for each part of a read that failed is taken as well, but not any number.
        Require(++request.ErrorChunks <= 64, "server sent too many errors for one request");
        Require(length >= 6 && length <= MaxErrorPayload, "invalid payload for an error chunk");
        uint error = stream.ReadUInt32("error");
        ushort messageLength = stream.ReadUInt16("error message");
        uint tail = type == NbdReplyType.ErrorOffset ? 8u : 0;
        Require(messageLength <= length - 6 && messageLength + tail <= length - 6, "error chunk's message is longer than the chunk");
        Require(error != 0, "server sent error chunk with error = 0");
        byte[] message = new byte[messageLength];
        stream.Read(message, "error message");
        stream.Skip(length - 6 - messageLength, "error chunk");
        request.Fail(error, messageLength > 0 ? NbdOptionAnswer.Text(message) : null);
    }

    private static void Require(bool condition, string otherwise)
    {
        if (!condition)
        {
            throw NbdConnectionException.Protocol(otherwise);
        }
    }
}
