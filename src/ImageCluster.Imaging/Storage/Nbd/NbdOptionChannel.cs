using System.Buffers.Binary;
using System.Text;

namespace ImageCluster.Imaging.Storage.Nbd;

/// <summary>Options and their replies during fixed newstyle negotiation.</summary>
internal sealed class NbdOptionChannel(NbdStream stream)
{
    // More than any reply that is wanted needs: two strings and what goes with them.
    private const int MaxReply = (2 * NbdWire.MaxString) + 64;

    // A server that never comes to the point is not waited for.
    private const int MaxReplies = 4096;

    private int _replies;

    public void Send(NbdOption option, ReadOnlySpan<byte> payload)
    {
        byte[] message = new byte[16 + payload.Length];
        BinaryPrimitives.WriteUInt64BigEndian(message, NbdWire.OptionMagic);
        BinaryPrimitives.WriteUInt32BigEndian(message.AsSpan(8), (uint)option);
        BinaryPrimitives.WriteUInt32BigEndian(message.AsSpan(12), (uint)payload.Length);
        payload.CopyTo(message.AsSpan(16));
        stream.Write(message);
        _replies = 0;
    }

    /// <summary>The next reply to <paramref name="option"/>, with its payload.</summary>
    public NbdOptionAnswer Receive(NbdOption option)
    {
        if (++_replies > MaxReplies)
        {
            throw NbdConnectionException.Protocol($"server sent more than {MaxReplies} replies to option {NameOf(option)}");
        }

        const string what = "option reply";
        ulong magic = stream.ReadUInt64(what);
        if (magic != NbdWire.OptionReplyMagic)
        {
            throw NbdConnectionException.Protocol($"unexpected option reply magic 0x{magic:x}");
        }

        uint replied = stream.ReadUInt32(what);
        if (replied != (uint)option)
        {
            throw NbdConnectionException.Protocol($"unexpected option type {replied} ({NameOf((NbdOption)replied)}), expected {(uint)option} ({NameOf(option)})");
        }

        var type = (NbdOptionReply)stream.ReadUInt32(what);
        uint length = stream.ReadUInt32(what);
        if (length > MaxReply)
        {
            throw NbdConnectionException.Protocol($"option reply of {length} bytes is too long");
        }

        byte[] payload = new byte[length];
        stream.Read(payload, what);
        return new NbdOptionAnswer(option, type, payload);
    }

    /// <summary>An option that the server may refuse: false where it does.</summary>
    public bool Ask(NbdOption option)
    {
        Send(option, []);
        NbdOptionAnswer answer = Receive(option);
        if (answer.IsError)
        {
            return false;
        }

        return answer.Type == NbdOptionReply.Ack && answer.Payload.Length == 0
            ? true
            : throw NbdConnectionException.Protocol($"unexpected reply type {(uint)answer.Type} to option {NameOf(option)}");
    }

    public static string NameOf(NbdOption option) => option switch
    {
        NbdOption.ExportName => "export name",
        NbdOption.Abort => "abort",
        NbdOption.List => "list",
        NbdOption.StartTls => "starttls",
        NbdOption.Info => "info",
        NbdOption.Go => "go",
        NbdOption.StructuredReply => "structured reply",
        NbdOption.ListMetaContext => "list meta context",
        NbdOption.SetMetaContext => "set meta context",
        _ => "<unknown>",
    };
}

/// <summary>One reply to an option.</summary>
internal readonly record struct NbdOptionAnswer(NbdOption Option, NbdOptionReply Type, byte[] Payload)
{
    public bool IsError => (Type & NbdOptionReply.ErrorBit) != 0;

    /// <summary>What to throw for a reply that is an error, in QEMU's words.</summary>
    public ImageException Refusal(string name)
    {
        string option = $"option {(uint)Option} ({NbdOptionChannel.NameOf(Option)})";
        string hint = Payload.Length > 0 ? $"server reported: {Text(Payload)}" : "";
        (ImageErrorKind kind, string message) = Type switch
        {
            NbdOptionReply.ErrorUnsupported => (ImageErrorKind.Unsupported, $"Unsupported {option}"),
            NbdOptionReply.ErrorPolicy => (ImageErrorKind.Io, $"Denied by server for {option}"),
            NbdOptionReply.ErrorInvalid => (ImageErrorKind.Io, $"Invalid parameters for {option}"),
            NbdOptionReply.ErrorPlatform => (ImageErrorKind.Unsupported, $"Server lacks support for {option}"),
            NbdOptionReply.ErrorTlsRequired => (ImageErrorKind.Secret, $"TLS negotiation required before {option}"),
            NbdOptionReply.ErrorUnknown => (ImageErrorKind.NotFound, "Requested export not available"),
            NbdOptionReply.ErrorShutdown => (ImageErrorKind.Io, $"Server shutting down before {option}"),
            NbdOptionReply.ErrorBlockSizeRequired => (ImageErrorKind.Unsupported, $"Server requires INFO_BLOCK_SIZE for {option}"),
            _ => (ImageErrorKind.Io, $"Unknown error code when asking for {option}"),
        };
        if (Type == NbdOptionReply.ErrorTlsRequired)
        {
            hint = hint.Length == 0 ? "Did you forget a valid tls-creds?" : $"Did you forget a valid tls-creds?\n{hint}";
        }

        return new ImageException(kind, name, message) { Hint = hint.Length > 0 ? hint : null };
    }

    /// <summary>A server's text without what could play tricks on a terminal.</summary>
    public static string Text(ReadOnlySpan<byte> bytes)
    {
        string text = Encoding.UTF8.GetString(bytes[..Math.Min(bytes.Length, NbdWire.MaxString)]);
        return string.Create(text.Length, text, static (target, source) =>
        {
            for (int i = 0; i < target.Length; i++)
            {
                target[i] = char.IsControl(source[i]) ? ' ' : source[i];
            }
        });
    }
}
