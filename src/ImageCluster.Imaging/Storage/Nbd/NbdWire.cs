namespace ImageCluster.Imaging.Storage.Nbd;

/// <summary>Magic numbers and limits of the NBD protocol (doc/proto.md of the NBD project). All integers on the wire are big-endian.</summary>
internal static class NbdWire
{
    /// <summary>"NBDMAGIC": the first eight bytes that a server says.</summary>
    public const ulong InitialMagic = 0x4e42444d41474943;

    /// <summary>"IHAVEOPT": newstyle negotiation, and the start of each option.</summary>
    public const ulong OptionMagic = 0x49484156454F5054;

    /// <summary>Oldstyle negotiation.</summary>
    public const ulong OldStyleMagic = 0x0000420281861253;

    public const ulong OptionReplyMagic = 0x0003e889045565a9;

    public const uint RequestMagic = 0x25609513;
    public const uint SimpleReplyMagic = 0x67446698;
    public const uint StructuredReplyMagic = 0x668e33ef;

    public const int DefaultPort = 10809;

    /// <summary>The longest string (export name, message) that either side may send.</summary>
    public const int MaxString = 4096;

    /// <summary>The longest payload that is read or written in one request: QEMU's, and what servers take that state no limit.</summary>
    public const int MaxPayload = 32 << 20;

    /// <summary>Reply flag: the last chunk.</summary>
    public const ushort ReplyDone = 1;

    /// <summary>The name of the metadata context that tells holes and zeros.</summary>
    public const string AllocationContext = "base:allocation";
}

[Flags]
internal enum NbdHandshakeFlags
{
    None = 0,
    FixedNewstyle = 1,
    NoZeroes = 2,
}

internal enum NbdOption : uint
{
    ExportName = 1,
    Abort = 2,
    List = 3,
    StartTls = 5,
    Info = 6,
    Go = 7,
    StructuredReply = 8,
    ListMetaContext = 9,
    SetMetaContext = 10,
}

internal enum NbdOptionReply : uint
{
    Ack = 1,
    Server = 2,
    Info = 3,
    MetaContext = 4,

    /// <summary>Set in every reply that is an error.</summary>
    ErrorBit = 1u << 31,
    ErrorUnsupported = ErrorBit | 1,
    ErrorPolicy = ErrorBit | 2,
    ErrorInvalid = ErrorBit | 3,
    ErrorPlatform = ErrorBit | 4,
    ErrorTlsRequired = ErrorBit | 5,
    ErrorUnknown = ErrorBit | 6,
    ErrorShutdown = ErrorBit | 7,
    ErrorBlockSizeRequired = ErrorBit | 8,
    ErrorTooBig = ErrorBit | 9,
}

internal enum NbdInfo : ushort
{
    Export = 0,
    Name = 1,
    Description = 2,
    BlockSize = 3,
}

[Flags]
internal enum NbdExportFlags
{
    None = 0,
    HasFlags = 1 << 0,
    ReadOnly = 1 << 1,
    SendFlush = 1 << 2,
    SendFua = 1 << 3,
    Rotational = 1 << 4,
    SendTrim = 1 << 5,
    SendWriteZeroes = 1 << 6,
    SendDontFragment = 1 << 7,
    CanMultiConnection = 1 << 8,
    SendResize = 1 << 9,
    SendCache = 1 << 10,
    SendFastZero = 1 << 11,
}

internal enum NbdCommand : ushort
{
    Read = 0,
    Write = 1,
    Disconnect = 2,
    Flush = 3,
    Trim = 4,
    Cache = 5,
    WriteZeroes = 6,
    BlockStatus = 7,
}

[Flags]
internal enum NbdCommandFlags
{
    None = 0,
    ForceUnitAccess = 1 << 0,
    NoHole = 1 << 1,
    DontFragment = 1 << 2,
    RequestOne = 1 << 3,
    FastZero = 1 << 4,
}

internal enum NbdReplyType : ushort
{
    None = 0,
    OffsetData = 1,
    OffsetHole = 2,
    BlockStatus = 5,
    Error = (1 << 15) | 1,
    ErrorOffset = (1 << 15) | 2,
}

/// <summary>Status flags of the base:allocation context.</summary>
[Flags]
internal enum NbdAllocation
{
    /// <summary>Allocated, and may hold anything.</summary>
    Data = 0,
    Hole = 1,
    Zero = 2,
}
