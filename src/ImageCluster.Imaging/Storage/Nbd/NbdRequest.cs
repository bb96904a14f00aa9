namespace ImageCluster.Imaging.Storage.Nbd;

/// <summary>
/// One request under way: what was asked, and what has come back so far. Written by the connection's receiver until <see cref="Done"/> is
/// complete, then read by whoever asked. <see cref="Done"/> fails only with <see cref="NbdConnectionException"/>; a server's refusal is
/// <see cref="Error"/>.
/// </summary>
internal sealed class NbdRequest(NbdCommand command, NbdCommandFlags flags, long offset, uint length)
{
    /// <summary>Extents that are kept of one answer; what a server sends beyond is asked for again.</summary>
    public const int MaxExtents = 16 << 10;

    private readonly TaskCompletionSource _done = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public NbdCommand Command => command;

    public NbdCommandFlags Flags => flags;

    public long Offset => offset;

    public uint Length => length;

    /// <summary>Of a read: where its bytes go. The receiver writes there until <see cref="Done"/> is complete.</summary>
    public Memory<byte> Target { get; init; }

    public ulong Cookie { get; set; }

    public Task Done => _done.Task;

    /// <summary>The protocol's error number, 0 where there is none.</summary>
    public uint Error { get; private set; }

    /// <summary>What the server says about the error; null where it says nothing.</summary>
    public string? ServerMessage { get; private set; }

    /// <summary>How many chunks said that it failed.</summary>
    public int ErrorChunks { get; set; }

    /// <summary>Which bytes of a read have come.</summary>
    public NbdCoverage Coverage { get; } = new(length);

    /// <summary>Of block status: lengths and flags, from <see cref="Offset"/> on; null until they have come.</summary>
    public List<NbdExtent>? Extents { get; set; }

    /// <summary>Takes the first error of several.</summary>
    public void Fail(uint error, string? message)
    {
        if (Error == 0)
        {
            (Error, ServerMessage) = (error, message);
        }
    }

    public void Complete() => _done.TrySetResult();

    public void Abandon(NbdConnectionException reason) => _done.TrySetException(reason);

    /// <summary>For messages: what could not be done.</summary>
    public string Describe() => command switch
    {
        NbdCommand.Read => $"Could not read {length} bytes at offset {offset}",
        NbdCommand.Write => $"Could not write {length} bytes at offset {offset}",
        NbdCommand.WriteZeroes => $"Could not zero {length} bytes at offset {offset}",
        NbdCommand.Trim => $"Could not discard {length} bytes at offset {offset}",
        NbdCommand.BlockStatus => $"Could not get the block status at offset {offset}",
        _ => "Could not flush to storage",
    };
}

/// <summary>A run of an export, as the base:allocation context describes it.</summary>
internal readonly record struct NbdExtent(long Length, NbdAllocation State);
