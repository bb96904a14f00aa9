using System.Net;
using System.Net.Http.Headers;
using ImageCluster.Imaging.Storage.Native;

namespace ImageCluster.Imaging.Storage.Http;

/// <summary>
/// A server's answer whose body is still to be read, under the request's deadline: a server that falls silent does not hold its reader. Of a body
/// never more is read than was asked for.
/// </summary>
internal sealed class HttpAnswer : IDisposable
{
    private readonly HttpResponseMessage _response;
    private readonly string _name;
    private readonly CancellationTokenSource _deadline;
    private readonly CancellationToken _cancel;
    private readonly CancellationTokenRegistration _breaker;
    private Stream? _body;

    /// <param name="response">Owned from now on, as is <paramref name="deadline"/>.</param>
    public HttpAnswer(HttpResponseMessage response, string name, CancellationTokenSource deadline, CancellationToken cancel)
    {
        _response = response;
        _name = name;
        _deadline = deadline;
        _cancel = cancel;

        // A read that blocks ends when its connection is closed under it.
        _breaker = deadline.Token.UnsafeRegister(static state => ((HttpResponseMessage)state!).Dispose(), response);
    }

    public HttpStatusCode Status => _response.StatusCode;

    /// <summary>As the status line has it, where it says something.</summary>
    public string? Reason => _response.ReasonPhrase;

    public HttpResponseHeaders Headers => _response.Headers;

    public HttpContentHeaders ContentHeaders => _response.Content.Headers;

    /// <summary>A header's text, without the checks of typed ones; null where it is not there.</summary>
    public string? Text(string header) => Headers.TryGetValues(header, out IEnumerable<string>? values) ? values.FirstOrDefault() : null;

    /// <summary>Reads until <paramref name="buffer"/> is full or the body ends; returns the number of bytes read.</summary>
    /// <param name="buffer">Where to.</param>
    /// <param name="progress">Told how many bytes have arrived, also where the rest does not.</param>
    public int Read(Span<byte> buffer, Action<int>? progress = null)
    {
        int done = 0;
        try
        {
            _body ??= _response.Content.ReadAsStream(CancellationToken.None);
            while (done < buffer.Length)
            {
                int read = _body.Read(buffer[done..]);
                if (read == 0)
                {
                    break;
                }

                done += read;
            }

            return done;
        }
        catch (Exception e) when (_deadline.IsCancellationRequested || e is IOException or HttpRequestException)
        {
            // What comes of reading a connection that is being closed may be any exception.
            _cancel.ThrowIfCancellationRequested();
            string why = _deadline.IsCancellationRequested ? "the server is too slow" : HttpChannel.ConnectionText(e);
            throw new PassingFailureException(new ImageException(ImageErrorKind.Io, _name, $"Connection lost while reading: {why}", e) { Errno = Errno.IO });
        }
        finally
        {
            progress?.Invoke(done);
        }
    }

    /// <summary>The body as bytes, cut where it is longer than <paramref name="limit"/>.</summary>
    public byte[] ReadSome(int limit)
    {
        byte[] buffer = new byte[limit];
        return buffer[..Read(buffer)];
    }

    public void Dispose()
    {
        _breaker.Dispose();
        _body?.Dispose();
        _response.Dispose();
        _deadline.Dispose();
    }
}
