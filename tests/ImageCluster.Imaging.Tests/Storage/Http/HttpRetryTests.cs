using ImageCluster.Imaging.Storage;
using ImageCluster.Testing.Http;

namespace ImageCluster.Imaging.Tests.Storage.Http;

/// <summary>Troubles that pass.</summary>
public sealed class HttpRetryTests
{
    private static readonly byte[] Content = HttpFileTests.Content(30_000);

    [Theory]
    [InlineData("429")]
    [InlineData("500")]
    [InlineData("503")]
    [InlineData("drop")]
    [InlineData("cut")]
    public void TroubleThatPassesIsNotSeen(string trouble)
    {
        Dictionary<string, int> seen = [];
        using HttpTestServer server = new(query =>
        {
            HttpReply honest = HttpReply.File(query, Content);
            string key = query.Method + query.Header("Range");
            lock (seen)
            {
                // Each request fails twice.
                seen[key] = seen.GetValueOrDefault(key) + 1;
                if (seen[key] > 2)
                {
                    return honest;
                }
            }

            switch (trouble)
            {
                case "drop":
                    return new HttpReply(200) { Drop = true };
                case "cut":
                    HttpReply cut = new(honest.Status, honest.Body) { CutAfter = honest.Body.Length / 2 };
                    honest.Headers.ForEach(header => cut.With(header.Name, header.Value));
                    return cut;
                default:
                    return new HttpReply(int.Parse(trouble)).With("Retry-After", "0");
            }
        });
        using IBlockFile file = HttpFileTests.Open(server.Address + "/disk.img", HttpFileTests.Quick with { Retries = 20, LongestDelay = TimeSpan.FromMilliseconds(5) });
        Assert.Equal(Content, HttpFileTests.ReadAll(file));
    }

    [Fact]
    public void WhatArrivedBeforeTheConnectionBrokeIsNotAskedForAgain()
    {
        int cuts = 0;
        using HttpTestServer server = new(query =>
        {
            HttpReply honest = HttpReply.File(query, Content);
            if (query.Method != "GET" || Interlocked.Increment(ref cuts) > 1)
            {
                return honest;
            }

            HttpReply cut = new(honest.Status, honest.Body) { CutAfter = 1000 };
            honest.Headers.ForEach(header => cut.With(header.Name, header.Value));
            return cut;
        });
        using IBlockFile file = HttpFileTests.Open(server.Address + "/disk.img");
        byte[] buffer = new byte[4096];
        file.Read(0, buffer);
        Assert.True(Content.AsSpan(0, 4096).SequenceEqual(buffer));
        Assert.Contains(server.Queries, query => query.Header("Range") == "bytes=1000-4095");
    }

    [Fact]
    public void AnotherVersionIsNotMixedInAfterABrokenConnection()
    {
        byte[] other = HttpFileTests.Content(30_000, seed: 9);
        int gets = 0;
        using HttpTestServer server = new(query =>
        {
            if (query.Method != "GET")
            {
                return HttpReply.File(query, Content);
            }

            bool first = Interlocked.Increment(ref gets) == 1;
            HttpReply honest = HttpReply.File(query, first ? Content : other, first ? "\"v1\"" : "\"v2\"");
            HttpReply reply = new(honest.Status, honest.Body) { CutAfter = first ? 1000 : null };
            honest.Headers.ForEach(header => reply.With(header.Name, header.Value));
            return reply;
        });
        using IBlockFile file = HttpFileTests.Open(server.Address + "/disk.img");
        ImageException e = Assert.Throws<ImageException>(() => file.Read(0, new byte[4096]));
        Assert.Equal("The file on the server has changed since it was opened", e.Message);
    }

    [Fact]
    public void TheServersWishToWaitIsHeeded()
    {
        int gets = 0;
        using HttpTestServer server = new(query => query.Method == "GET" && Interlocked.Increment(ref gets) == 1
            ? new HttpReply(503).With("Retry-After", "1")
            : HttpReply.File(query, Content));
        using IBlockFile file = HttpFileTests.Open(server.Address + "/disk.img");
        long start = Environment.TickCount64;
        file.Read(0, new byte[10]);
        Assert.True(Environment.TickCount64 - start >= 900);
    }
}
