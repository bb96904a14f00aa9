using System.Text;

namespace ImageCluster.Testing.Http;

/// <summary>An answer, true or not: headers are sent as they stand here, so the server can lie.</summary>
public sealed class HttpReply(int status, byte[]? body = null)
{
    public int Status { get; } = status;

    public byte[] Body { get; } = body ?? [];

    /// <summary>Headers in order. <c>Content-Length</c> is added where it is not set and nothing else says where the body ends.</summary>
    public List<(string Name, string Value)> Headers { get; } = [];

    /// <summary>The connection is closed after so many bytes of the body; null to send all.</summary>
    public int? CutAfter { get; init; }

    /// <summary>The connection is closed without an answer.</summary>
    public bool Drop { get; init; }

    /// <summary>After the body, more bytes come until the reader goes away (in chunks, without a length).</summary>
    public bool Endless { get; init; }

    /// <summary>Waited for before the body is sent (silence).</summary>
    public WaitHandle? HoldBody { get; init; }

    /// <summary>Waited for before anything is sent.</summary>
    public WaitHandle? HoldAll { get; init; }

    public HttpReply With(string name, string value)
    {
        Headers.Add((name, value));
        return this;
    }

    public static HttpReply Text(int status, string body) => new(status, Encoding.UTF8.GetBytes(body));

    /// <summary>What an honest server says to a request for (a range of) a file.</summary>
    public static HttpReply File(HttpQuery query, byte[] content, string? etag = "\"v1\"")
    {
        HttpReply reply;
        bool isCurrent = query.Header("If-Range") is not { } condition || condition == etag;
        if (query.Range is { } range && isCurrent)
        {
            if (range.First >= content.Length)
            {
                return new HttpReply(416).With("Content-Range", $"bytes */{content.Length}");
            }

            int last = (int)Math.Min(range.Last, content.Length - 1);
            reply = new HttpReply(206, content[(int)range.First..(last + 1)]).With("Content-Range", $"bytes {range.First}-{last}/{content.Length}");
        }
        else
        {
            reply = new HttpReply(200, content);
        }

        if (etag is not null)
        {
            reply.With("ETag", etag);
        }

        return reply.With("Accept-Ranges", "bytes");
    }
}
