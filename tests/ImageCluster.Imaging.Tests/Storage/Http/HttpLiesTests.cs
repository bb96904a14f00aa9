using ImageCluster.Imaging.Storage;
using ImageCluster.Testing.Http;

namespace ImageCluster.Imaging.Tests.Storage.Http;

/// <summary>Servers that answer something else than they were asked, or something else than before: one clear error, never other bytes.</summary>
public sealed class HttpLiesTests
{
    private static readonly byte[] Content = HttpFileTests.Content(20_000);

    public static TheoryData<string, string> Lies => new()
    {
        { "other-range", "Server answers with another range than was asked for at offset 4,096" },
        { "no-content-range", "Server answers with another range than was asked for at offset 4,096" },
        { "other-total", "The file on the server has changed since it was opened" },
        { "whole-file", "Server sends the whole file where a range was asked for" },
        { "changed", "The file on the server has changed since it was opened" },
        { "changed-etag", "The file on the server has changed since it was opened" },
        { "cut-shorter", "The file on the server has changed since it was opened" },
        { "other-length", "Server announces 100 bytes where 4,096 were asked for at offset 4,096" },
        { "short-chunked", "Server sent 10 of 4,066 bytes at offset 4,126 (tried 4 times)" },
        { "cut", "Connection lost while reading: the server closed the connection (tried 4 times)" },
        { "endless", "Server sends more than the 4,096 bytes asked for at offset 4,096" },
        { "gzip", "Server answers with another range than was asked for at offset 4,096" },
        { "gone", "The requested URL returned error: 404" },
        { "forbidden", "The requested URL returned error: 403" },
        { "always-500", "The requested URL returned error: 500 (tried 4 times)" },
        { "no-http", "does not answer in HTTP, or at too great length" },
    };

    [Theory]
    [MemberData(nameof(Lies))]
    public void ALieIsOneClearError(string lie, string message)
    {
        using HttpTestServer server = new(query => query.Range is { First: >= 4096 and < 8192 } ? Lie(lie, query) : HttpReply.File(query, Content));
        using IBlockFile file = HttpFileTests.Open(server.Address + "/disk.img", HttpFileTests.Quick with { ReadAheadChunks = 0 });
        byte[] buffer = new byte[4096];
        Assert.Equal(4096, file.Read(0, buffer));
        ImageException e = Assert.Throws<ImageException>(() => file.Read(4096, new byte[4096]));
        Assert.EndsWith(message, e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', e.Message);

        // What is good stays readable.
        Assert.Equal(4096, file.Read(8192, buffer));
        Assert.True(Content.AsSpan(8192, 4096).SequenceEqual(buffer));
    }

    private static HttpReply Lie(string lie, HttpQuery query)
    {
        HttpReply honest = HttpReply.File(query, Content);
        byte[] body = honest.Body;
        return lie switch
        {
            "other-range" => new HttpReply(206, body).With("Content-Range", "bytes 0-4095/20000").With("ETag", "\"v1\""),
            "no-content-range" => new HttpReply(206, body).With("ETag", "\"v1\""),
            "other-total" => new HttpReply(206, body).With("Content-Range", "bytes 4096-8191/20001").With("ETag", "\"v1\""),
            "whole-file" => new HttpReply(200, Content).With("ETag", "\"v1\""),
            "changed" => HttpReply.File(query, Content, "\"v2\""),
            "changed-etag" => new HttpReply(206, body).With("Content-Range", "bytes 4096-8191/20000").With("ETag", "\"v2\""),
            "cut-shorter" => new HttpReply(416).With("Content-Range", "bytes */100"),
            "other-length" => new HttpReply(206, body[..100]).With("Content-Range", "bytes 4096-8191/20000").With("ETag", "\"v1\""),
            "short-chunked" => new HttpReply(206, body[..10]).With("Content-Range", $"bytes {query.Range!.Value.First}-8191/20000").With("ETag", "\"v1\"").With("Connection", "close"),
            "cut" => new HttpReply(206, body) { CutAfter = 0 }.With("Content-Range", $"bytes {query.Range!.Value.First}-8191/20000").With("ETag", "\"v1\""),
            "endless" => new HttpReply(206, body) { Endless = true }.With("Content-Range", "bytes 4096-8191/20000").With("ETag", "\"v1\""),
            "gzip" => honest.With("Content-Encoding", "gzip"),
            "gone" => new HttpReply(404),
            "forbidden" => new HttpReply(403),
            "always-500" => new HttpReply(500),
            "no-http" => new HttpReply(206, body).With("X-Long", new string('x', 100_000)),
            _ => throw new ArgumentException(lie),
        };
    }

    [Theory]
    [InlineData("no-ranges", "CURL: Error opening file: Server does not support 'range' (byte ranges).", ImageErrorKind.Unsupported)]
    [InlineData("no-total", "CURL: Error opening file: Server didn't report file size.", ImageErrorKind.Unsupported)]
    [InlineData("gone", "CURL: Error opening file: The requested URL returned error: 404", ImageErrorKind.NotFound)]
    [InlineData("loop", "CURL: Error opening file: The server redirects more than 10 times", ImageErrorKind.Io)]
    [InlineData("redirect-to-file", "CURL: Error opening file: The server redirects to what is no HTTP address", ImageErrorKind.Io)]
    [InlineData("redirect-nowhere", "CURL: Error opening file: The server redirects to what is no HTTP address", ImageErrorKind.Io)]
    public void WhatCannotBeReadIsNotOpened(string trouble, string message, ImageErrorKind kind)
    {
        using HttpTestServer server = new(query => trouble switch
        {
            "no-ranges" => new HttpReply(200, Content),
            "no-total" when query.Method == "HEAD" => new HttpReply(200).With("Connection", "close"),
            "no-total" => new HttpReply(206, Content[..1]).With("Content-Range", "bytes 0-0/*"),
            "loop" => new HttpReply(302).With("Location", "/again"),
            "redirect-to-file" => new HttpReply(302).With("Location", "file:///etc/passwd"),
            "redirect-nowhere" => new HttpReply(302),
            _ => new HttpReply(404),
        });
        ImageException e = Assert.Throws<ImageException>(() => HttpFileTests.Open(server.Address + "/disk.img"));
        Assert.Equal(message, e.Message);
        Assert.Equal(kind, e.Kind);
    }

    [Fact]
    public void AServerThatIsNotThereIsToldAtOnce()
    {
        int port;
        using (HttpTestServer server = new(_ => new HttpReply(200)))
        {
            port = server.Port;
        }

        ImageException e = Assert.Throws<ImageException>(() => HttpFileTests.Open($"http://127.0.0.1:{port}/x"));
        Assert.Equal($"CURL: Error opening file: Failed to connect to 127.0.0.1 port {port}: Connection refused", e.Message);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void ASilentServerIsGivenUp(bool afterHeaders)
    {
        using ManualResetEvent never = new(false);
        using HttpTestServer server = new(query =>
        {
            HttpReply honest = HttpReply.File(query, Content);
            HttpReply silent = afterHeaders ? new(honest.Status, honest.Body) { HoldBody = never } : new(honest.Status, honest.Body) { HoldAll = never };
            honest.Headers.ForEach(header => silent.With(header.Name, header.Value));
            return query.Range is { First: 4096 } ? silent : honest;
        });
        using IBlockFile file = HttpFileTests.Open(server.Address + "/x", HttpFileTests.Quick with
        {
            Timeout = TimeSpan.FromSeconds(3),
            Retries = 0,
            ReadAheadChunks = 0,
        });
        ImageException e = Assert.Throws<ImageException>(() => file.Read(4096, new byte[10]));
        Assert.Contains(afterHeaders ? "Connection lost while reading: the server is too slow" : "did not answer within 3 seconds", e.Message, StringComparison.Ordinal);
        Assert.Single(server.Queries, query => query.Range is { First: 4096 });
        never.Set();
    }
}
