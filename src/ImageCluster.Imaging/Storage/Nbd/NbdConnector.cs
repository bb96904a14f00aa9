using System.Globalization;
using System.Net;
using System.Net.Sockets;
using ImageCluster.Imaging.Storage.Native;

namespace ImageCluster.Imaging.Storage.Nbd;

/// <summary>Makes connections to one export: socket, TLS where asked for, negotiation; all within <see cref="NbdSettings.ConnectTimeout"/>.</summary>
/// <param name="address">Where.</param>
/// <param name="name">What messages call the file.</param>
/// <param name="settings">How long.</param>
/// <param name="startTls">Puts TLS on a connection; null for connections in the clear.</param>
internal sealed class NbdConnector(NbdAddress address, string name, NbdSettings settings, Func<Stream, Stream>? startTls)
{
    /// <exception cref="ImageException">The server is not there, refuses, or does not speak NBD.</exception>
    public NbdConnection Connect()
    {
        Attempt attempt = new();
        using Timer deadline = new(static state => ((Attempt)state!).Expire(), attempt, settings.ConnectTimeout, Timeout.InfiniteTimeSpan);
        try
        {
            Socket socket = address.SocketPath is { } path ? ConnectUnix(path, attempt) : ConnectTcp(attempt);
            var stream = new NbdStream(new NetworkStream(socket, ownsSocket: false));
            NbdExport export = new NbdNegotiation(stream, address.Export, name, startTls) { DirtyBitmap = address.DirtyBitmap }.Run();
            attempt.Keep();
            return new NbdConnection(socket, stream, export, settings);
        }
        catch (Exception e) when (attempt.HasExpired && e is NbdConnectionException or ImageException)
        {
            attempt.Dispose();
            throw new ImageException(ImageErrorKind.Io, name, $"Failed to connect to '{address.Server}': Connection timed out", e) { Errno = Errno.TimedOut };
        }
        catch (NbdConnectionException e)
        {
            attempt.Dispose();
            throw new ImageException(ImageErrorKind.Io, name, e.Message, e) { Errno = Errno.IO };
        }
        catch
        {
            attempt.Dispose();
            throw;
        }
    }

    private Socket ConnectUnix(string path, Attempt attempt)
    {
        // An empty path names no socket; .NET would take it for a wrong argument.
        return path.Length > 0
            ? Connect(AddressFamily.Unix, ProtocolType.Unspecified, new UnixDomainSocketEndPoint(path), attempt)
            : throw new ImageException(ImageErrorKind.Io, name, "Failed to connect to '': Connection refused") { Errno = Errno.ConnRefused };
    }

    private Socket ConnectTcp(Attempt attempt)
    {
        if (!ushort.TryParse(address.Port, NumberStyles.None, CultureInfo.InvariantCulture, out ushort port))
        {
            throw Unresolved("Servname not supported for ai_socktype", ImageErrorKind.InvalidArgument);
        }

        IPAddress[] found;
        try
        {
            found = Dns.GetHostAddresses(address.Host.Length > 0 ? address.Host : "localhost");
        }
        catch (Exception e) when (e is SocketException or ArgumentException)
        {
            throw Unresolved("Name or service not known", ImageErrorKind.NotFound);
        }

        for (int i = 0; ; i++)
        {
            try
            {
                Socket socket = Connect(found[i].AddressFamily, ProtocolType.Tcp, new IPEndPoint(found[i], port), attempt);
                socket.NoDelay = true;
                socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, true);
                return socket;
            }
            catch (ImageException) when (i + 1 < found.Length && !attempt.HasExpired)
            {
                // The host has more addresses.
            }
        }
    }

    private Socket Connect(AddressFamily family, ProtocolType protocol, EndPoint place, Attempt attempt)
    {
        var socket = new Socket(family, SocketType.Stream, protocol);
        attempt.Watch(socket);
        try
        {
            socket.Connect(place);
            return socket;
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            socket.Dispose();
            // .NET does not pass on that a Unix socket's path is not there.
            bool isMissing = address.SocketPath is { } path && !File.Exists(path);
            int errno = isMissing ? Errno.NoEnt : (e as SocketException)?.NativeErrorCode ?? 110;
            string reason = OperatingSystem.IsLinux() ? Errno.Text(errno) : e.Message;
            ImageErrorKind kind = errno == Errno.NoEnt ? ImageErrorKind.NotFound : ImageErrorKind.Io;
            throw new ImageException(kind, name, $"Failed to connect to '{address.Server}': {reason}", e) { Errno = errno };
        }
    }

    private ImageException Unresolved(string why, ImageErrorKind kind) =>
        new(kind, name, $"address resolution failed for {address.Server}: {why}");

    /// <summary>The socket that an attempt is at, so that the deadline can end whatever it waits for.</summary>
    private sealed class Attempt : IDisposable
    {
        private readonly Lock _gate = new();
        private Socket? _socket;
        private bool _kept;

        public bool HasExpired { get; private set; }

        public void Watch(Socket socket)
        {
            lock (_gate)
            {
                _socket = socket;
                if (HasExpired)
                {
                    socket.Dispose();
                }
            }
        }

        public void Keep()
        {
            lock (_gate)
            {
                _kept = true;
                if (HasExpired)
                {
                    throw new NbdConnectionException("timed out", mayRetry: true);
                }
            }
        }

        public void Expire()
        {
            lock (_gate)
            {
                if (!_kept)
                {
                    HasExpired = true;
                    _socket?.Dispose();
                }
            }
        }

        public void Dispose()
        {
            lock (_gate)
            {
                _socket?.Dispose();
            }
        }
    }
}
