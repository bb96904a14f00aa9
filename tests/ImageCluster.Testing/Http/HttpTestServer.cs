using System.Globalization;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace ImageCluster.Testing.Http;

/// <summary>
/// A web server of this process, on a port of its own, that does whatever a test wants, wrong things above all. Each connection has a thread;
/// connections are kept open between requests.
/// </summary>
/// <example><c>using var server = new HttpTestServer(query => HttpReply.File(query, content));</c></example>
public sealed class HttpTestServer : IDisposable
{
    private readonly Func<HttpQuery, HttpReply> _handle;
    private readonly X509Certificate2? _certificate;
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly List<TcpClient> _clients = [];
    private readonly List<HttpQuery> _queries = [];
    private readonly object _gate = new();
    private int _active;
    private bool _disposed;

    /// <param name="handle">Answers; called from any number of threads.</param>
    /// <param name="certificate">For TLS; null for none.</param>
    public HttpTestServer(Func<HttpQuery, HttpReply> handle, X509Certificate2? certificate = null)
    {
        _handle = handle;
        _certificate = certificate;
        _listener.Start();
        Port = ((IPEndPoint)_listener.LocalEndpoint).Port;
        new Thread(Accept) { IsBackground = true, Name = "http-server" }.Start();
    }

    public int Port { get; }

    public string Address => $"{(_certificate is null ? "http" : "https")}://127.0.0.1:{Port}";

    /// <summary>By a request's method and target: after how many bytes of its body the connection is closed; null to read all.</summary>
    public Func<string, string, int?> HangUp { get; set; } = static (_, _) => null;

    /// <summary>All requests so far.</summary>
    public IReadOnlyList<HttpQuery> Queries
    {
        get
        {
            lock (_gate)
            {
                return [.. _queries];
            }
        }
    }

    /// <summary>The most requests that were under way at once.</summary>
    public int MostAtOnce { get; private set; }

    /// <summary>Requests under way now.</summary>
    public int Active
    {
        get
        {
            lock (_gate)
            {
                return _active;
            }
        }
    }

    /// <summary>Waits, generously, until <paramref name="condition"/> holds; it is looked at whenever a request begins or ends.</summary>
    public bool WaitUntil(Func<bool> condition)
    {
        lock (_gate)
        {
            DateTime end = DateTime.UtcNow.AddSeconds(60);
            while (!condition())
            {
                TimeSpan left = end - DateTime.UtcNow;
                if (left <= TimeSpan.Zero)
                {
                    return false;
                }

                Monitor.Wait(_gate, left);
            }

            return true;
        }
    }

    public void Dispose()
    {
        lock (_gate)
        {
            _disposed = true;
            _clients.ForEach(static client => client.Dispose());
        }

        _listener.Stop();
    }

    private void Accept()
    {
        try
        {
            while (true)
            {
                TcpClient client = _listener.AcceptTcpClient();
                client.NoDelay = true;
                lock (_gate)
                {
                    _clients.Add(client);
                    if (_disposed)
                    {
                        client.Dispose();
                        return;
                    }
                }

                new Thread(() => Serve(client)) { IsBackground = true, Name = "http-connection" }.Start();
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException or InvalidOperationException)
        {
            // The test is over.
        }
    }

    private void Serve(TcpClient client)
    {
        using (client)
        {
            try
            {
                using Stream stream = Open(client);
                while (ReadQuery(stream) is { } query && Answer(stream, query))
                {
                }
            }
            catch (Exception e) when (e is IOException or ObjectDisposedException or SocketException or System.Security.Authentication.AuthenticationException)
            {
                // The client went away.
            }
        }
    }

    private Stream Open(TcpClient client)
    {
        if (_certificate is null)
        {
            return client.GetStream();
        }

        SslStream tls = new(client.GetStream());
        tls.AuthenticateAsServer(_certificate);
        return tls;
    }

    // False where the connection is to be closed.
    private bool Answer(Stream stream, HttpQuery query)
    {
        lock (_gate)
        {
            _queries.Add(query);
            _active++;
            MostAtOnce = Math.Max(MostAtOnce, _active);
            Monitor.PulseAll(_gate);
        }

        try
        {
            return Send(stream, query, _handle(query));
        }
        finally
        {
            lock (_gate)
            {
                _active--;
                Monitor.PulseAll(_gate);
            }
        }
    }

    private static bool Send(Stream stream, HttpQuery query, HttpReply reply)
    {
        reply.HoldAll?.WaitOne();
        if (reply.Drop)
        {
            return false;
        }

        bool Has(string name) => reply.Headers.Any(h => h.Name.Equals(name, StringComparison.OrdinalIgnoreCase));
        StringBuilder head = new($"HTTP/1.1 {reply.Status} {(HttpStatusCode)reply.Status}\r\n");
        foreach ((string name, string value) in reply.Headers)
        {
            head.Append(CultureInfo.InvariantCulture, $"{name}: {value}\r\n");
        }

        if (reply.Endless)
        {
            head.Append("Transfer-Encoding: chunked\r\n");
        }
        else if (!Has("Content-Length") && !Has("Transfer-Encoding") && !Has("Connection"))
        {
            head.Append(CultureInfo.InvariantCulture, $"Content-Length: {reply.Body.Length}\r\n");
        }

        stream.Write(Encoding.ASCII.GetBytes(head.Append("\r\n").ToString()));
        stream.Flush();
        reply.HoldBody?.WaitOne();
        if (query.Method == "HEAD")
        {
            return !Has("Connection");
        }

        int length = Math.Min(reply.CutAfter ?? reply.Body.Length, reply.Body.Length);
        if (reply.Endless)
        {
            SendForever(stream, reply.Body);
        }

        stream.Write(reply.Body, 0, length);
        stream.Flush();
        return reply.CutAfter is null && !Has("Connection");
    }

    private static void SendForever(Stream stream, byte[] first)
    {
        byte[] piece = first.Length > 0 ? first : new byte[4096];
        while (true)
        {
            stream.Write(Encoding.ASCII.GetBytes($"{piece.Length:x}\r\n"));
            stream.Write(piece);
            stream.Write("\r\n"u8);
            piece = new byte[4096];
        }
    }

    private HttpQuery? ReadQuery(Stream stream)
    {
        string[]? lines = ReadHead(stream);
        if (lines is null)
        {
            return null;
        }

        string[] start = lines[0].Split(' ');
        Dictionary<string, string> headers = new(StringComparer.OrdinalIgnoreCase);
        foreach (string line in lines.Skip(1))
        {
            int colon = line.IndexOf(':', StringComparison.Ordinal);
            headers[line[..colon]] = line[(colon + 1)..].Trim();
        }

        byte[] body = new byte[headers.TryGetValue("Content-Length", out string? length) ? int.Parse(length, CultureInfo.InvariantCulture) : 0];
        if (headers.TryGetValue("Expect", out string? expect) && expect == "100-continue")
        {
            stream.Write("HTTP/1.1 100 Continue\r\n\r\n"u8);
        }

        if (HangUp(start[0], start[1]) is { } bytes)
        {
            stream.ReadExactly(body, 0, Math.Min(bytes, body.Length));
            return null;
        }

        stream.ReadExactly(body);
        return new HttpQuery(start[0], start[1], headers, body);
    }

    private static string[]? ReadHead(Stream stream)
    {
        List<byte> head = [];
        while (true)
        {
            int b = stream.ReadByte();
            if (b < 0)
            {
                return null;
            }

            head.Add((byte)b);
            if (head.Count >= 4 && head[^4] == '\r' && head[^3] == '\n' && head[^2] == '\r' && head[^1] == '\n')
            {
                return Encoding.ASCII.GetString([.. head]).TrimEnd().Split("\r\n");
            }
        }
    }
}
