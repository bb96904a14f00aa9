using System.Net.Sockets;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Testing.Nbd;

/// <summary>A server in this process that says whatever a test has it say; each connection on a thread of its own.</summary>
public sealed class FakeNbdServer : IDisposable
{
    private readonly TempDirectory _directory = new();
    private readonly Socket _listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
    private readonly Action<NbdPeer> _serve;
    private readonly List<NbdPeer> _peers = [];
    private readonly Thread _thread;

    /// <param name="serve">Talks to one client, up to its return or until the client has gone.</param>
    public FakeNbdServer(Action<NbdPeer> serve)
    {
        _serve = serve;
        _listener.Bind(new UnixDomainSocketEndPoint(_directory["nbd.sock"]));
        _listener.Listen();
        _thread = new Thread(Accept) { IsBackground = true };
        _thread.Start();
    }

    public string Url => $"nbd+unix://?socket={_directory["nbd.sock"]}";

    /// <summary>Clients so far.</summary>
    public int Connections
    {
        get
        {
            lock (_peers)
            {
                return _peers.Count;
            }
        }
    }

    public void Dispose()
    {
        _listener.Dispose();
        lock (_peers)
        {
            _peers.ForEach(static peer => peer.Dispose());
        }

        _thread.Join();
        _directory.Dispose();
    }

    private void Accept()
    {
        try
        {
            while (true)
            {
                NbdPeer peer = new(_listener.Accept());
                lock (_peers)
                {
                    _peers.Add(peer);
                }

                new Thread(() => Serve(peer)) { IsBackground = true }.Start();
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // Disposed.
        }
    }

    private void Serve(NbdPeer peer)
    {
        try
        {
            _serve(peer);
        }
        catch (Exception e) when (e is IOException or SocketException or ObjectDisposedException)
        {
            // The client has gone: what it thinks of the server is the test's matter.
        }
        finally
        {
            peer.Dispose();
        }
    }
}
