using System.Net;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using ImageCluster.Imaging.Storage.Native;

namespace ImageCluster.Imaging.Storage.Http;

/// <summary>
/// Connections to servers, kept open between requests: one request, one answer, no redirects, no retries. Failures that may pass are
/// <see cref="PassingFailureException"/>s.
/// </summary>
internal sealed class HttpChannel : IDisposable
{
    private readonly HttpSettings _settings;
    private readonly HttpClient _client;

    public HttpChannel(HttpSettings settings)
    {
        _settings = settings;
        _client = new HttpClient(MakeHandler(settings), disposeHandler: true)
        {
            // Each request has a deadline of its own.
            Timeout = Timeout.InfiniteTimeSpan,
        };
    }

    /// <summary>Sends and returns when the answer's head is there; the body is to be read before the deadline too.</summary>
    /// <param name="request">What to send; not kept.</param>
    /// <param name="name">The file, for messages.</param>
    /// <param name="bytes">What request and answer carry, at the most expected: the deadline grows with it.</param>
    /// <param name="cancel">Ends the request at any moment.</param>
    public HttpAnswer Send(HttpRequestMessage request, string name, long bytes, CancellationToken cancel)
    {
        CancellationTokenSource deadline = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        try
        {
            deadline.CancelAfter(_settings.PatienceFor(bytes));
            request.Headers.TryAddWithoutValidation("User-Agent", "imagecluster");
            HttpResponseMessage response = _client.Send(request, HttpCompletionOption.ResponseHeadersRead, deadline.Token);
            return new HttpAnswer(response, name, deadline, cancel);
        }
        catch (Exception e) when (e is HttpRequestException or IOException or OperationCanceledException)
        {
            bool timedOut = deadline.IsCancellationRequested;
            deadline.Dispose();
            cancel.ThrowIfCancellationRequested();
            throw Failure(e, request.RequestUri!, name, timedOut);
        }
        catch
        {
            deadline.Dispose();
            throw;
        }
    }

    public void Dispose() => _client.Dispose();

    private static SocketsHttpHandler MakeHandler(HttpSettings settings)
    {
        SocketsHttpHandler handler = new()
        {
            AllowAutoRedirect = false,
            UseCookies = false,
            UseProxy = settings.UseProxy,
            Proxy = settings.UseProxy ? new EnvironmentProxy() : null,
            AutomaticDecompression = DecompressionMethods.None,
            ConnectTimeout = settings.ConnectTimeout,
            MaxConnectionsPerServer = 64,
            PooledConnectionIdleTimeout = TimeSpan.FromMinutes(1),
            MaxResponseHeadersLength = 64,

            // What is left of a body that nobody wants is not read: the connection is closed.
            MaxResponseDrainSize = 0,
        };
        if (!settings.VerifyTls)
        {
#pragma warning disable CA5359 // Whoever runs the program asked for it.
            handler.SslOptions.RemoteCertificateValidationCallback = static (_, _, _, _) => true;
#pragma warning restore CA5359
        }
        else if (settings.CaFile is { } file)
        {
            handler.SslOptions.CertificateChainPolicy = Trust(file);
        }

        return handler;
    }

    private static X509ChainPolicy Trust(string file)
    {
        X509ChainPolicy policy = new() { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
        try
        {
            policy.CustomTrustStore.ImportFromPemFile(file);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Errno.Exception(e, file, $"Could not read the file of trusted certificates '{file}'");
        }
        catch (CryptographicException e)
        {
            throw new ImageException(ImageErrorKind.InvalidArgument, file, $"The file of trusted certificates '{file}' is not in PEM form", e);
        }

        return policy.CustomTrustStore.Count > 0
            ? policy
            : throw new ImageException(ImageErrorKind.InvalidArgument, file, $"The file of trusted certificates '{file}' holds no certificate");
    }

    private Exception Failure(Exception thrown, Uri address, string name, bool timedOut)
    {
        bool refused = thrown.InnerException is SocketException { SocketErrorCode: SocketError.ConnectionRefused };
        ImageException Of(string what, ImageErrorKind kind = ImageErrorKind.Io, string? hint = null) =>
            new(kind, name, what, thrown) { Errno = refused ? Errno.ConnRefused : Errno.IO, Hint = hint };

        if (timedOut || thrown is OperationCanceledException)
        {
            return new PassingFailureException(Of($"{Place(address)} did not answer within {_settings.Timeout.TotalSeconds:0.#} seconds"));
        }

        switch ((thrown as HttpRequestException)?.HttpRequestError)
        {
            case HttpRequestError.NameResolutionError when thrown.InnerException is not SocketException { SocketErrorCode: SocketError.TryAgain }:
                return Of($"Could not resolve host: {address.Host}", ImageErrorKind.NotFound);
            case HttpRequestError.SecureConnectionError when thrown.InnerException is AuthenticationException inner:
                return Of(
                    $"TLS with {Place(address)} failed: {TlsText(inner)}",
                    hint: "The certificates of an authority of your own go into a file that IMAGECLUSTER_CA_FILE names.");
            case HttpRequestError.ConfigurationLimitExceeded or HttpRequestError.InvalidResponse:
                return Of($"{Place(address)} does not answer in HTTP, or at too great length");
            case HttpRequestError.ConnectionError:
                return new PassingFailureException(Of($"Failed to connect to {address.Host} port {address.Port}: {ConnectionText(thrown)}"));
            default:
                return new PassingFailureException(Of($"Connection to {Place(address)} failed: {ConnectionText(thrown)}"));
        }
    }

    private static string Place(Uri address) => $"{address.Host}:{address.Port}";

    /// <summary>The system's text where there is one. (The run-time's own texts are not in every build of ours.)</summary>
    internal static string ConnectionText(Exception thrown)
    {
        for (Exception? e = thrown; e is not null; e = e.InnerException)
        {
            if (e is SocketException)
            {
                return e.Message.ReplaceLineEndings(" ");
            }
        }

        return "the server closed the connection";
    }

    private static string TlsText(AuthenticationException e) => e.InnerException is null
        ? "the server's certificate is not one that is trusted for this name"
        : "the handshake failed";
}
