using System.Collections.Concurrent;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using Akka.Actor;
using Akka.Configuration;
using Akka.Event;
using Akka.Remote.Transport;

namespace ImageCluster.Node.Remoting;

/// <summary>
/// Akka's connections between nodes, over TLS by which both sides prove themselves. In place of Akka's own, which in some of its versions does not ask the side that connects for a
/// certificate, and takes certificates of every authority that the machine trusts. Its settings are those of <c>akka.remote.dot-netty.tcp</c>.
/// </summary>
internal sealed class TlsTransport : Transport, IDisposable
{
    /// <summary>As Akka calls its own.</summary>
    public const string Scheme = "ssl.tcp";

    private static readonly TimeSpan GreetTime = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan ShutdownTime = TimeSpan.FromSeconds(6);

    private readonly TaskCompletionSource<IAssociationEventListener> _listener = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly ConcurrentDictionary<TlsAssociation, Task> _open = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly NodeIdentity _identity;
    private readonly RefusalLog _log;
    private Address _self = Address.AllSystems;
    private TcpListener? _server;

    // Akka makes it by these two.
    public TlsTransport(ActorSystem system, Config config)
    {
        (System, Config) = (system, config);
        SchemeIdentifier = Scheme;
        MaximumPayloadBytes = config.GetByteSize("maximum-frame-size") ?? throw new ConfigurationException("maximum-frame-size is missing");
        _identity = system.Settings.Setup.Get<TlsSetup>().Value.Identity;
        _log = new RefusalLog(Logging.GetLogger(system, GetType()), TimeProvider.System);
    }

    public override bool IsResponsibleFor(Address remote) => true;

    public override async Task<(Address, TaskCompletionSource<IAssociationEventListener>)> Listen()
    {
        string bind = Config.GetString("hostname").Trim('[', ']');
        IPAddress address = IPAddress.TryParse(bind, out IPAddress? known) ? known : (await Dns.GetHostAddressesAsync(bind))[0];
        _server = new TcpListener(address, Config.GetInt("port"));
        _server.Start();
        string shown = Config.GetString("public-hostname") is { Length: > 0 } host ? host : address.ToString();
        int port = Config.GetInt("public-port") is > 0 and int given ? given : ((IPEndPoint)_server.LocalEndpoint).Port;
        _self = new Address(Scheme, System.Name, InAddress(shown), port);
        _ = AcceptAsync(_server);
        return (_self, _listener);
    }

    public override async Task<AssociationHandle> Associate(Address remoteAddress)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token);
        patience.CancelAfter(GreetTime);
        var client = new TcpClient { NoDelay = true };
        try
        {
            string host = remoteAddress.Host.Trim('[', ']');
            await client.ConnectAsync(host, remoteAddress.Port ?? 0, patience.Token);
            SslStream stream = await _identity.MakeAsync(Stream(client), host, patience.Token);
            return Begin(new TlsAssociation(_self, remoteAddress, stream, MaximumPayloadBytes), isOurs: true);
        }
        catch (Exception e) when (e is SocketException or IOException or AuthenticationException or OperationCanceledException)
        {
            client.Dispose();
            string reason = e is OperationCanceledException ? $"no answer within {GreetTime.TotalSeconds} s" : e.Message.ReplaceLineEndings(" ");
            throw new InvalidAssociationException($"{remoteAddress.Host}:{remoteAddress.Port}: {reason}", e);
        }
    }

    public override async Task<bool> Shutdown()
    {
        await _stop.CancelAsync();
        _server?.Dispose();
        foreach (TlsAssociation association in _open.Keys)
        {
            association.Disassociate("the node ends", NoLogger.Instance);
        }

        try
        {
            await Task.WhenAll(_open.Values).WaitAsync(ShutdownTime);
            return true;
        }
        catch (TimeoutException)
        {
            return false;
        }
    }

    public void Dispose()
    {
        _server?.Dispose();
        _stop.Dispose();
    }

    private static NetworkStream Stream(TcpClient client)
    {
        client.NoDelay = true;
        client.Client.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, true);
        return client.GetStream();
    }

    private static string InAddress(string host) => IPAddress.TryParse(host, out IPAddress? ip) && ip.AddressFamily == AddressFamily.InterNetworkV6 ? $"[{ip}]" : host;

    private async Task AcceptAsync(TcpListener server)
    {
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                _ = TakeAsync(await server.AcceptTcpClientAsync(_stop.Token));
            }
            catch (SocketException e)
            {
                // Too many files are open, or the other has gone already.
                _log.Warn($"A connection could not be taken: {e.Message}");
                await Task.Delay(TimeSpan.FromMilliseconds(100));
            }
            catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException)
            {
                return;
            }
        }
    }

    private async Task TakeAsync(TcpClient client)
    {
        IPEndPoint? other = null;
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token);
        patience.CancelAfter(GreetTime);
        try
        {
            other = (IPEndPoint)client.Client.RemoteEndPoint!;
            SslStream stream = await _identity.TakeAsync(Stream(client), patience.Token);
            // Nobody is heard before the actor system listens.
            IAssociationEventListener listener = await _listener.Task.WaitAsync(_stop.Token);
            var remote = new Address(Scheme, System.Name, InAddress(other.Address.ToString()), other.Port);
            listener.Notify(new InboundAssociation(Begin(new TlsAssociation(_self, remote, stream, MaximumPayloadBytes), isOurs: false)));
        }
        catch (AuthenticationException e)
        {
            client.Dispose();
            _log.Warn($"A connection from {other?.Address} was refused: {e.Message}");
        }
        catch (Exception e) when (e is SocketException or IOException or OperationCanceledException or ObjectDisposedException)
        {
            client.Dispose();
            if (!_stop.IsCancellationRequested)
            {
                _log.Warn($"A connection from {other?.Address} came to nothing: {(e is OperationCanceledException ? "it did not prove itself in time" : e.Message.ReplaceLineEndings(" "))}");
            }
        }
    }

    private TlsAssociation Begin(TlsAssociation association, bool isOurs)
    {
        Task run = RunAsync(association, isOurs);
        _open[association] = run;
        _ = run.ContinueWith(_ => _open.TryRemove(association, out Task? _), TaskScheduler.Default);
        return association;
    }

    private async Task RunAsync(TlsAssociation association, bool isOurs)
    {
        string? problem = await association.RunAsync();
        if (isOurs && !association.HasHeard && !_stop.IsCancellationRequested)
        {
            Address other = association.RemoteAddress;
            _log.Warn($"{other.Host}:{other.Port} ended the connection before it said anything{(problem is null ? "" : $" ({problem})")}: if it refuses this node's certificate, its log says why");
        }

        association.Dispose();
    }
}
