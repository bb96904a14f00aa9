namespace ImageCluster.Imaging.Storage.Nbd;

/// <summary>Several requests of one operation under way at a time, for one thread. All have ended when <see cref="Finish"/> returns.</summary>
internal sealed class NbdPipeline(NbdSession session, int depth)
{
    private readonly Queue<(NbdConnection Connection, NbdRequest Request)> _underWay = new();

    /// <summary>Requests that a connection took with it, and why.</summary>
    public List<(NbdRequest Request, NbdConnectionException Reason)> Broken { get; } = [];

    /// <summary>The first request that the server refused; null where it took all.</summary>
    public NbdRequest? Refused { get; private set; }

    /// <summary>Sends one more, after waiting for the oldest where there are enough; does nothing once one has failed.</summary>
    public void Add(NbdRequest request, ReadOnlySpan<byte> payload)
    {
        if (_underWay.Count >= depth)
        {
            Settle();
        }

        if (Refused is not null)
        {
            return;
        }

        try
        {
            NbdConnection connection = session.Acquire();
            connection.Submit(request, payload);
            _underWay.Enqueue((connection, request));
        }
        catch (NbdConnectionException e)
        {
            Broken.Add((request, e));
        }
    }

    public void Finish()
    {
        while (_underWay.Count > 0)
        {
            Settle();
        }
    }

    private void Settle()
    {
        (NbdConnection connection, NbdRequest request) = _underWay.Dequeue();
        try
        {
            connection.Wait(request);
            if (request.Error != 0)
            {
                Refused ??= request;
            }
        }
        catch (NbdConnectionException e)
        {
            Broken.Add((request, e));
        }
    }
}
