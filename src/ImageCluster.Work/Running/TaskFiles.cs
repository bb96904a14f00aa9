namespace ImageCluster.Work.Running;

/// <summary>
/// What the shards of one task leave open, so that it is opened once and made durable once, when the last of them is done. Used by one thread at a time.
/// </summary>
public sealed class TaskFiles : IDisposable
{
    private IOpenFiles? _open;

    /// <summary>True where something was written that is not durable yet.</summary>
    public bool NeedsFlush => _open is not null;

    /// <summary>What is open, or what is opened now.</summary>
    public T GetOrOpen<T>(Func<T> open)
        where T : class, IOpenFiles
    {
        if (_open is not T known)
        {
            _open?.Dispose();
            _open = known = open();
        }

        return known;
    }

    /// <summary>Makes durable what was written.</summary>
    public void Flush() => _open?.Flush();

    public void Dispose()
    {
        _open?.Dispose();
        _open = null;
    }
}
