namespace ImageCluster.Imaging.Operations.Converting;

/// <summary>Lets workers through one at a time in the order of their tickets (0, 1, 2...), whatever order they arrive in.</summary>
internal sealed class Turnstile
{
    private readonly object _gate = new();
    private long _turn;
    private bool _closed;

    /// <summary>Runs <paramref name="action"/> when every earlier ticket has been through; false if the turnstile was closed instead.</summary>
    public bool Pass(long ticket, Action action)
    {
        lock (_gate)
        {
            while (_turn != ticket && !_closed)
            {
                Monitor.Wait(_gate);
            }

            if (_closed)
            {
                return false;
            }

            action();
            _turn++;
            Monitor.PulseAll(_gate);
            return true;
        }
    }

    /// <summary>Lets nobody through any more: the one whose turn it is will not come.</summary>
    public void Close()
    {
        lock (_gate)
        {
            _closed = true;
            Monitor.PulseAll(_gate);
        }
    }
}
