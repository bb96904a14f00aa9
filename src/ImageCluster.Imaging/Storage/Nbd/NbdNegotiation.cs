using System.Buffers.Binary;

namespace ImageCluster.Imaging.Storage.Nbd;

/// <summary>
/// The handshake: from the server's first byte to the start of transmission (proto.md, "Protocol phases"). Newstyle fixed with NBD_OPT_GO, and
/// what older servers speak. Whatever the server claims is checked before it is used.
/// </summary>
/// <param name="stream">A fresh connection.</param>
/// <param name="export">The export's name.</param>
/// <param name="name">What messages call the file.</param>
/// <param name="startTls">Puts TLS on the connection; null for a connection in the clear.</param>
internal sealed class NbdNegotiation(NbdStream stream, string export, string name, Func<Stream, Stream>? startTls)
{
    /// <inheritdoc cref="NbdAddress.DirtyBitmap"/>
    public string? DirtyBitmap { get; init; }

    /// <summary>Agrees on the export.</summary>
    public NbdExport Run()
    {
        ulong magic = stream.ReadUInt64("initial magic");
        if (magic != NbdWire.InitialMagic)
        {
            throw new ImageException(ImageErrorKind.NotThisFormat, name, $"Bad initial magic received: 0x{magic:x16}");
        }

        magic = stream.ReadUInt64("server magic");
        return magic switch
        {
            NbdWire.OldStyleMagic => OldStyle(),
            NbdWire.OptionMagic => NewStyle(),
            _ => throw new ImageException(ImageErrorKind.NotThisFormat, name, $"Bad server magic received: 0x{magic:x16}"),
        };
    }

    private NbdExport OldStyle()
    {
        RequireNoTls();
        if (export.Length > 0)
        {
            throw new ImageException(ImageErrorKind.NotFound, name, "Server does not support non-empty export names");
        }

        ulong size = stream.ReadUInt64("export length");
        uint flags = stream.ReadUInt32("export flags");
        if (flags > ushort.MaxValue)
        {
            throw NbdConnectionException.Protocol($"unexpected export flags 0x{flags:x}");
        }

        stream.Skip(124, "reserved block");
        return Checked(size, (NbdExportFlags)flags, null);
    }

    private NbdExport NewStyle()
    {
        var server = (NbdHandshakeFlags)stream.ReadUInt16("server flags");
        NbdHandshakeFlags both = server & (NbdHandshakeFlags.FixedNewstyle | NbdHandshakeFlags.NoZeroes);
        Span<byte> flags = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(flags, (uint)both);
        stream.Write(flags);
        bool zeroes = (both & NbdHandshakeFlags.NoZeroes) == 0;
        if ((both & NbdHandshakeFlags.FixedNewstyle) == 0)
        {
            RequireNoTls();
            return ByExportName(new NbdOptionChannel(stream), zeroes);
        }

        var options = new NbdOptionChannel(stream);
        if (startTls is not null)
        {
            StartTls(options, startTls);
        }

        bool structured = options.Ask(NbdOption.StructuredReply);
        uint? allocation = structured ? AskForAllocation(options) : null;
        NbdExport agreed = Go(options) ?? AfterList(options, zeroes);
        if (DirtyBitmap is not null && allocation is null)
        {
            throw new ImageException(ImageErrorKind.NotFound, name, $"requested x-dirty-bitmap {DirtyBitmap} not found");
        }

        return agreed with { StructuredReplies = structured, AllocationContext = allocation };
    }

    private void StartTls(NbdOptionChannel options, Func<Stream, Stream> start)
    {
        options.Send(NbdOption.StartTls, []);
        NbdOptionAnswer answer = options.Receive(NbdOption.StartTls);
        if (answer.IsError)
        {
            throw answer.Type == NbdOptionReply.ErrorUnsupported
                ? new ImageException(ImageErrorKind.Unsupported, name, "Server does not support STARTTLS")
                : answer.Refusal(name);
        }

        // Bytes that came in the clear after the reply would be taken for the server's words under TLS.
        if (answer.Type != NbdOptionReply.Ack || answer.Payload.Length != 0 || !stream.IsDrained)
        {
            throw NbdConnectionException.Protocol("unexpected reply to option starttls");
        }

        stream.Wrap(start);
    }

    // The context's number; null where the server has none of that name.
    private uint? AskForAllocation(NbdOptionChannel options)
    {
        byte[] exportName = NameText.GetBytes(export);
        byte[] context = NameText.GetBytes(DirtyBitmap ?? NbdWire.AllocationContext);
        byte[] payload = new byte[4 + exportName.Length + 8 + context.Length];
        BinaryPrimitives.WriteUInt32BigEndian(payload, (uint)exportName.Length);
        exportName.CopyTo(payload, 4);
        BinaryPrimitives.WriteUInt32BigEndian(payload.AsSpan(4 + exportName.Length), 1);
        BinaryPrimitives.WriteUInt32BigEndian(payload.AsSpan(8 + exportName.Length), (uint)context.Length);
        context.CopyTo(payload, 12 + exportName.Length);
        options.Send(NbdOption.SetMetaContext, payload);
        uint? number = null;
        while (true)
        {
            NbdOptionAnswer answer = options.Receive(NbdOption.SetMetaContext);
            if (answer.IsError || answer.Type == NbdOptionReply.Ack)
            {
                return answer.IsError ? null : number;
            }

            bool isOurs = answer.Type == NbdOptionReply.MetaContext && answer.Payload.Length >= 4 && answer.Payload.AsSpan(4).SequenceEqual(context);
            if (!isOurs || number is not null)
            {
                throw NbdConnectionException.Protocol("server replied with a metadata context that was not asked for");
            }

            number = BinaryPrimitives.ReadUInt32BigEndian(answer.Payload);
        }
    }

    // Null where the server does not know the option.
    private NbdExport? Go(NbdOptionChannel options)
    {
        byte[] exportName = NameText.GetBytes(export);
        byte[] payload = new byte[4 + exportName.Length + 4];
        BinaryPrimitives.WriteUInt32BigEndian(payload, (uint)exportName.Length);
        exportName.CopyTo(payload, 4);
        BinaryPrimitives.WriteUInt16BigEndian(payload.AsSpan(4 + exportName.Length), 1);
        BinaryPrimitives.WriteUInt16BigEndian(payload.AsSpan(6 + exportName.Length), (ushort)NbdInfo.BlockSize);
        options.Send(NbdOption.Go, payload);
        (ulong Size, NbdExportFlags Flags)? told = null;
        BlockSizes? sizes = null;
        while (true)
        {
            NbdOptionAnswer answer = options.Receive(NbdOption.Go);
            if (answer.IsError)
            {
                return answer.Type == NbdOptionReply.ErrorUnsupported ? null : throw answer.Refusal(name);
            }

            if (answer.Type == NbdOptionReply.Ack)
            {
                return told is { } found
                    ? Checked(found.Size, found.Flags, sizes)
                    : throw NbdConnectionException.Protocol("broken server omitted NBD_INFO_EXPORT");
            }

            if (answer.Type != NbdOptionReply.Info || answer.Payload.Length < 2)
            {
                throw NbdConnectionException.Protocol($"unexpected reply type {(uint)answer.Type} to option go");
            }

            ReadOnlySpan<byte> info = answer.Payload.AsSpan(2);
            switch ((NbdInfo)BinaryPrimitives.ReadUInt16BigEndian(answer.Payload))
            {
                case NbdInfo.Export:
                    RequireLength(info, 10);
                    told = (BinaryPrimitives.ReadUInt64BigEndian(info), (NbdExportFlags)BinaryPrimitives.ReadUInt16BigEndian(info[8..]));
                    break;
                case NbdInfo.BlockSize:
                    RequireLength(info, 12);
                    sizes = new BlockSizes(
                        BinaryPrimitives.ReadUInt32BigEndian(info),
                        BinaryPrimitives.ReadUInt32BigEndian(info[4..]),
                        BinaryPrimitives.ReadUInt32BigEndian(info[8..]));
                    break;
            }
        }
    }

    // A server that does not know GO hangs up on a wrong name, without a word: so look at its list first.
    private NbdExport AfterList(NbdOptionChannel options, bool zeroes)
    {
        options.Send(NbdOption.List, []);
        bool found = false;
        bool listed = true;
        while (listed)
        {
            NbdOptionAnswer answer = options.Receive(NbdOption.List);
            if (answer.IsError || answer.Type == NbdOptionReply.Ack)
            {
                listed = !answer.IsError;
                break;
            }

            if (answer.Type != NbdOptionReply.Server || answer.Payload.Length < 4 ||
                BinaryPrimitives.ReadUInt32BigEndian(answer.Payload) > answer.Payload.Length - 4)
            {
                throw NbdConnectionException.Protocol("incorrect length of an entry of the list of exports");
            }

            int length = (int)BinaryPrimitives.ReadUInt32BigEndian(answer.Payload);
            found |= NameText.GetString(answer.Payload.AsSpan(4, length)) == export;
        }

        return listed && !found
            ? throw new ImageException(ImageErrorKind.NotFound, name, "Requested export not available")
            : ByExportName(options, zeroes);
    }

    private NbdExport ByExportName(NbdOptionChannel options, bool zeroes)
    {
        options.Send(NbdOption.ExportName, NameText.GetBytes(export));
        ulong size = stream.ReadUInt64("export length");
        var flags = (NbdExportFlags)stream.ReadUInt16("export flags");
        if (zeroes)
        {
            stream.Skip(124, "reserved block");
        }

        return Checked(size, flags, null);
    }

    private NbdExport Checked(ulong size, NbdExportFlags flags, BlockSizes? sizes)
    {
        if (size > long.MaxValue - (1 << 20))
        {
            throw new ImageException(ImageErrorKind.Limit, name, $"export size {size} is beyond the limit");
        }

        if (sizes is not { } block)
        {
            return new NbdExport { Size = (long)size, Flags = flags };
        }

        if (!IsPowerOfTwo(block.Minimum) || block.Minimum > 64 << 10)
        {
            throw NbdConnectionException.Protocol($"server minimum block size {block.Minimum} is not a power of two up to 65536");
        }

        if (!IsPowerOfTwo(block.Preferred) || block.Preferred < block.Minimum)
        {
            throw NbdConnectionException.Protocol($"server preferred block size {block.Preferred} is not valid");
        }

        if (block.Maximum < block.Minimum || (block.Maximum != uint.MaxValue && block.Maximum % block.Minimum != 0))
        {
            throw NbdConnectionException.Protocol($"server maximum block size {block.Maximum} is not valid");
        }

        return size % block.Minimum == 0
            ? new NbdExport
            {
                Size = (long)size,
                Flags = flags,
                MinimumBlock = (int)block.Minimum,
                MaximumPayload = (int)Math.Min(block.Maximum, NbdWire.MaxPayload),
            }
            : throw NbdConnectionException.Protocol($"export size {size} is not multiple of minimum block size {block.Minimum}");
    }

    private void RequireNoTls()
    {
        if (startTls is not null)
        {
            throw new ImageException(ImageErrorKind.Unsupported, name, "Server does not support STARTTLS");
        }
    }

    private static void RequireLength(ReadOnlySpan<byte> info, int length)
    {
        if (info.Length != length)
        {
            throw NbdConnectionException.Protocol("info reply is of incorrect size");
        }
    }

    private static bool IsPowerOfTwo(uint value) => value != 0 && (value & (value - 1)) == 0;

    private readonly record struct BlockSizes(uint Minimum, uint Preferred, uint Maximum);
}
