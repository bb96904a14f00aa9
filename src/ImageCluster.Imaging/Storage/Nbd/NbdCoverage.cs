namespace ImageCluster.Imaging.Storage.Nbd;

/// <summary>
/// Which bytes of a read have come, in whatever order a server sends them: each exactly once, or it breaks the protocol. A server that sends
/// in order (all do) costs one number.
/// </summary>
internal sealed class NbdCoverage(uint length)
{
    // Runs out of order that are remembered at once.
    private const int MaxRuns = 1024;

    private SortedList<uint, uint>? _later;
    private uint _until;

    public bool IsComplete => _until == length;

    /// <summary>Takes a run.</summary>
    /// <param name="start">Bytes from the read's own start.</param>
    /// <param name="count">Bytes, 1 or more.</param>
    public void Add(ulong start, uint count)
    {
        if (count == 0 || start > length || count > length - start)
        {
            throw NbdConnectionException.Protocol("server sent chunk out of bounds of the request");
        }

        var from = (uint)start;
        if (from < _until)
        {
            throw Overlap();
        }

        if (from > _until)
        {
            _later ??= [];
            if (_later.Count >= MaxRuns || !_later.TryAdd(from, count))
            {
                throw _later.Count >= MaxRuns ? NbdConnectionException.Protocol("server sent too many chunks out of order") : Overlap();
            }

            return;
        }

        _until += count;
        while (_later is { Count: > 0 } && _later.GetKeyAtIndex(0) <= _until)
        {
            if (_later.GetKeyAtIndex(0) < _until)
            {
                throw Overlap();
            }

            _until += _later.GetValueAtIndex(0);
            _later.RemoveAt(0);
        }
    }

    private static NbdConnectionException Overlap() => NbdConnectionException.Protocol("server sent overlapping chunks");
}
