using System.Collections.Concurrent;

namespace ImageCluster.Imaging.Compression;

/// <summary>Native states that are costly to make, lent to one thread at a time. Holds at most one for each thread that ever worked at once.</summary>
internal sealed class StatePool(Func<nint> create, Action<nint> destroy) : IDisposable
{
    private readonly ConcurrentBag<nint> _free = [];
    private volatile bool _disposed;

    public nint Rent()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (_free.TryTake(out nint state))
        {
            return state;
        }

        state = create();
        return state != 0 ? state : throw new InsufficientMemoryException("The compression library is out of memory.");
    }

    public void Return(nint state)
    {
        _free.Add(state);
        if (_disposed)
        {
            Drain();
        }
    }

    public void Dispose()
    {
        _disposed = true;
        Drain();
    }

    private void Drain()
    {
        while (_free.TryTake(out nint state))
        {
            destroy(state);
        }
    }
}
