namespace ImageCluster.Imaging.Storage.Nbd;

/// <summary>
/// The connections to one export: as many as the load asks for and the server allows, and new ones for those that broke while nothing can have
/// been lost.
/// </summary>
internal sealed class NbdSession : IDisposable
{
    // Requests on each connection before another one is opened.
    private const int BusyAt = 2;

    private readonly NbdConnector _connector;
    private readonly NbdSettings _settings;
    private readonly ManualResetEventSlim _closing = new();
    private readonly Lock _gate = new();
    private readonly List<NbdConnection> _connections = [];
    private int _most;
    private volatile bool _isWritten;
    private NbdConnectionException? _lost;

    public NbdSession(NbdConnector connector, NbdSettings settings)
    {
        _connector = connector;
        _settings = settings;
        NbdConnection first = connector.Connect();
        _connections.Add(first);
        Export = first.Export;
        _most = Export.Has(NbdExportFlags.CanMultiConnection) ? Math.Max(1, settings.MaxConnections) : 1;
    }

    public NbdExport Export { get; }

    /// <summary>From here on a connection that breaks may take writes with it that the server never stored: it is not replaced.</summary>
    public void MarkWritten() => _isWritten = true;

    /// <summary>The connection for the next request: the one with the least to do.</summary>
    public NbdConnection Acquire()
    {
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_closing.IsSet, this);
            NbdConnection? best = null;
            int load = int.MaxValue;
            NbdConnectionException? broken = null;
            for (int i = _connections.Count - 1; i >= 0; i--)
            {
                NbdConnection connection = _connections[i];
                if (!connection.IsAlive)
                {
                    _connections.RemoveAt(i);
                    broken = connection.Failure;
                    connection.Dispose();
                }
                else if (connection.Pending is var pending && pending < load)
                {
                    (best, load) = (connection, pending);
                }
            }

            if (_isWritten && (broken is not null || _lost is not null))
            {
                _lost ??= new NbdConnectionException(broken!.Message, mayRetry: false, broken);
                throw _lost;
            }

            return best is not null && (load < BusyAt || _connections.Count >= _most) ? best : Grow(best);
        }
    }

    /// <summary>Waits before the retry of that number (0 for the first); false where the session is being closed or there have been enough.</summary>
    public bool PauseBeforeRetry(int number) =>
        number < _settings.ReadRetries && !_isWritten && !_closing.Wait(_settings.RetryDelay * (1 << Math.Min(number, 16)));

    public void Dispose()
    {
        _closing.Set();
        lock (_gate)
        {
            _connections.ForEach(static connection => connection.Dispose());
            _connections.Clear();
        }
    }

    private NbdConnection Grow(NbdConnection? fallback)
    {
        try
        {
            NbdConnection added = _connector.Connect();
            NbdExport export = added.Export;
            bool isSame = export with { AllocationContext = null } == Export with { AllocationContext = null } &&
                export.AllocationContext.HasValue == Export.AllocationContext.HasValue;
            if (isSame)
            {
                _connections.Add(added);
                return added;
            }

            added.Dispose();
            return fallback ?? throw new NbdConnectionException("the export has changed", mayRetry: false);
        }
        catch (ImageException e)
        {
            // A server that takes no more connections is no reason to fail while there is one.
            _most = Math.Max(1, _connections.Count);
            return fallback ?? throw new NbdConnectionException(e.Message, mayRetry: true, e);
        }
    }
}
