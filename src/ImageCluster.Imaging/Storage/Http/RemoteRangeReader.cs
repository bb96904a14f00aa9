using System.Net;
using System.Net.Http.Headers;
using ImageCluster.Imaging.Storage.Native;

namespace ImageCluster.Imaging.Storage.Http;

/// <summary>
/// Ranges of one version of a remote file. Each answer is held against what the file was when it was opened: another version, another length or
/// another range than was asked for is an error, never bytes. What arrived before a connection broke is kept.
/// </summary>
internal sealed class RemoteRangeReader(IRemoteObject remote, RemoteVersion version, HttpSettings settings) : IRangeReader
{
    private readonly RetryLoop _retries = new(settings);

    public long Length => version.Length;

    public string Version => $"{version.Length} {version.ETag ?? version.LastModified}".TrimEnd();

    /// <summary>Finds out the length and the version, and whether the server gives ranges at all.</summary>
    /// <exception cref="ImageException">It does not, or the file is not there.</exception>
    public static RemoteRangeReader Open(IRemoteObject remote, HttpSettings settings, CancellationToken cancel)
    {
        RemoteVersion version = new RetryLoop(settings).Run(() => Ask(remote, cancel), cancel);
        return new RemoteRangeReader(remote, version, settings);
    }

    public unsafe void Read(long offset, Span<byte> buffer, CancellationToken cancel)
    {
        // Retrying goes through a delegate, which cannot hold a span.
        fixed (byte* start = buffer)
        {
            byte* address = start;
            int length = buffer.Length;
            int done = 0;
            _retries.Run(
                () =>
                {
                    ReadOnce(offset + done, new Span<byte>(address + done, length - done), arrived => done += arrived, cancel);
                    return true;
                },
                cancel);
        }
    }

    private static RemoteVersion Ask(IRemoteObject remote, CancellationToken cancel)
    {
        try
        {
            return AskHead(remote, cancel) ?? AskFirstByte(remote, cancel);
        }
        catch (PassingFailureException e) when (e.Failure.Errno == Errno.ConnRefused)
        {
            // Where nothing was ever reached, the name is wrong more often than the server is just starting.
            throw e.Failure;
        }
    }

    // Null where the answer does not tell all: many servers answer GET better than HEAD (addresses signed for GET refuse it).
    private static RemoteVersion? AskHead(IRemoteObject remote, CancellationToken cancel)
    {
        using HttpAnswer answer = remote.Send(HttpMethod.Head, Identity, 0, cancel);
        if (answer.Status != HttpStatusCode.OK)
        {
            return (int)answer.Status is 400 or 403 or 405 or 501 ? null : throw remote.Refusal(answer);
        }

        string? units = answer.Text("Accept-Ranges");
        bool givesRanges = units is not null && units.Contains("bytes", StringComparison.OrdinalIgnoreCase);
        if (!givesRanges || answer.ContentHeaders.ContentLength is not { } length || IsEncoded(answer))
        {
            return null;
        }

        (string? etag, string? modified) = RemoteVersion.Of(answer);
        return new RemoteVersion(length, etag, modified);
    }

    private static RemoteVersion AskFirstByte(IRemoteObject remote, CancellationToken cancel)
    {
        using HttpAnswer answer = remote.Send(HttpMethod.Get, request => Ask(request, 0, 1, null), 1, cancel);
        (string? etag, string? modified) = RemoteVersion.Of(answer);
        if (answer.Status == HttpStatusCode.RequestedRangeNotSatisfiable && answer.ContentHeaders.ContentRange is { Length: 0 })
        {
            return new RemoteVersion(0, etag, modified);
        }

        if (answer.Status == HttpStatusCode.OK)
        {
            throw Unusable(remote, "Server does not support 'range' (byte ranges).");
        }

        if (answer.Status != HttpStatusCode.PartialContent)
        {
            throw remote.Refusal(answer);
        }

        if (answer.ContentHeaders.ContentRange is not { Unit: "bytes", From: 0, To: 0 } range || IsEncoded(answer))
        {
            throw Unusable(remote, "Server answers with another range than was asked for");
        }

        return range.Length is { } length ? new RemoteVersion(length, etag, modified) : throw Unusable(remote, "Server didn't report file size.");
    }

    private void ReadOnce(long offset, Span<byte> buffer, Action<int> arrived, CancellationToken cancel)
    {
        int length = buffer.Length;
        if (length == 0)
        {
            return;
        }

        using HttpAnswer answer = remote.Send(HttpMethod.Get, request => Ask(request, offset, length, version.Condition), length, cancel);
        Check(answer, offset, length);
        int read = answer.Read(buffer, arrived);
        if (read < length)
        {
            throw new PassingFailureException(Failure($"Server sent {read:#,0} of {length:#,0} bytes at offset {offset:#,0}"));
        }

        if (answer.ContentHeaders.ContentLength is null && answer.Read(stackalloc byte[1]) > 0)
        {
            throw Failure($"Server sends more than the {length:#,0} bytes asked for at offset {offset:#,0}");
        }
    }

    private void Check(HttpAnswer answer, long offset, int length)
    {
        (string? etag, string? modified) = RemoteVersion.Of(answer);
        if (answer.Status is HttpStatusCode.OK or HttpStatusCode.PreconditionFailed or HttpStatusCode.RequestedRangeNotSatisfiable)
        {
            bool same = answer.Status == HttpStatusCode.OK && version.Agrees(etag, modified)
                && (etag is not null || modified is not null) && answer.ContentHeaders.ContentLength == version.Length;
            throw same ? Failure("Server sends the whole file where a range was asked for") : Changed();
        }

        if (answer.Status != HttpStatusCode.PartialContent)
        {
            throw remote.Refusal(answer);
        }

        ContentRangeHeaderValue? range = answer.ContentHeaders.ContentRange;
        if (!version.Agrees(etag, modified) || (range?.Length is { } total && total != version.Length))
        {
            throw Changed();
        }

        if (range is not { Unit: "bytes" } || range.From != offset || range.To != offset + length - 1 || IsEncoded(answer))
        {
            throw Failure($"Server answers with another range than was asked for at offset {offset:#,0}");
        }

        if (answer.ContentHeaders.ContentLength is { } body && body != length)
        {
            throw Failure($"Server announces {body:#,0} bytes where {length:#,0} were asked for at offset {offset:#,0}");
        }
    }

    private static void Ask(HttpRequestMessage request, long offset, int length, string? condition)
    {
        Identity(request);
        request.Headers.Range = new RangeHeaderValue(offset, offset + length - 1);
        if (condition is not null)
        {
            request.Headers.TryAddWithoutValidation("If-Range", condition);
        }
    }

    private static void Identity(HttpRequestMessage request) => request.Headers.TryAddWithoutValidation("Accept-Encoding", "identity");

    private static bool IsEncoded(HttpAnswer answer) => answer.ContentHeaders.ContentEncoding.Any(coding => coding != "identity");

    private ImageException Changed() => new(ImageErrorKind.Io, remote.Name, "The file on the server has changed since it was opened")
    {
        Errno = Errno.IO,
        Hint = "Start again when nobody changes it.",
    };

    private ImageException Failure(string what) => new(ImageErrorKind.Io, remote.Name, what) { Errno = Errno.IO };

    private static ImageException Unusable(IRemoteObject remote, string what) => new(ImageErrorKind.Unsupported, remote.Name, what) { Errno = Errno.Inval };
}
