using ImageCluster.Imaging.Storage;
using ImageCluster.Imaging.Storage.Http;
using ImageCluster.Testing.Http;

namespace ImageCluster.Imaging.Tests.Storage.Http;

/// <summary>Reading from honest servers.</summary>
public sealed class HttpFileTests
{
    internal static readonly HttpSettings Quick = new()
    {
        UseProxy = false,
        FirstDelay = TimeSpan.FromMilliseconds(1),
        ChunkLength = 4096,
        Retries = 3,
    };

    internal static IBlockFile Open(string address, HttpSettings? settings = null, HttpCredentials? credentials = null) =>
        new HttpProtocol(settings ?? Quick, credentials ?? HttpCredentials.None).Open(address, OpenMode.ReadOnly, new LocalFileLocator());

    internal static byte[] Content(int length, int seed = 1)
    {
        byte[] content = new byte[length];
        new Random(seed).NextBytes(content);
        return content;
    }

    internal static byte[] ReadAll(IBlockFile file)
    {
        byte[] read = new byte[file.Length];
        Assert.Equal(read.Length, file.Read(0, read));
        return read;
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(4095)]
    [InlineData(4096)]
    [InlineData(4097)]
    [InlineData(100_001)]
    public void TheWholeFileIsRead(int length)
    {
        byte[] content = Content(length);
        using HttpTestServer server = new(query => HttpReply.File(query, content));
        using IBlockFile file = Open(server.Address + "/disk.img");
        Assert.Equal(length, file.Length);
        Assert.Equal(content, ReadAll(file));
        Assert.Equal(0, file.Read(length, new byte[10]));
        Assert.False(file.CanWrite);
    }

    [Fact]
    public void AnyRangeIsReadAtAnyAlignment()
    {
        byte[] content = Content(50_000);
        using HttpTestServer server = new(query => HttpReply.File(query, content));
        using IBlockFile file = Open(server.Address + "/disk.img", Quick with { CachedChunks = 4, ReadAheadChunks = 3 });
        Random random = new(7);
        for (int i = 0; i < 300; i++)
        {
            int offset = random.Next(content.Length);
            byte[] buffer = new byte[random.Next(20_000)];
            int read = file.Read(offset, buffer);
            Assert.Equal(Math.Min(buffer.Length, content.Length - offset), read);
            Assert.True(content.AsSpan(offset, read).SequenceEqual(buffer.AsSpan(0, read)));
        }
    }

    [Fact]
    public void ManyThreadsShareAFile()
    {
        byte[] content = Content(300_000);
        using HttpTestServer server = new(query => HttpReply.File(query, content));
        using IBlockFile file = Open(server.Address + "/disk.img", Quick with { CachedChunks = 20 });
        Parallel.For(0, 8, new ParallelOptions { MaxDegreeOfParallelism = 8 }, worker =>
        {
            Random random = new(worker);
            for (int i = 0; i < 50; i++)
            {
                int offset = random.Next(content.Length);
                byte[] buffer = new byte[random.Next(30_000)];
                int read = file.Read(offset, buffer);
                Assert.True(content.AsSpan(offset, read).SequenceEqual(buffer.AsSpan(0, read)));
            }
        });
    }

    [Fact]
    public void AServerWithoutHeadIsAskedForOneByte()
    {
        byte[] content = Content(10_000);
        using HttpTestServer server = new(query => query.Method == "HEAD" ? new HttpReply(403) : HttpReply.File(query, content));
        using IBlockFile file = Open(server.Address + "/disk.img");
        Assert.Equal(content, ReadAll(file));
    }

    [Fact]
    public void AnEmptyFileOfAServerWithoutHeadIsEmpty()
    {
        using HttpTestServer server = new(query => query.Method == "HEAD" ? new HttpReply(405) : HttpReply.File(query, []));
        using IBlockFile file = Open(server.Address + "/disk.img");
        Assert.Equal(0, file.Length);
    }

    [Fact]
    public void AReaderThatReadsOnHasEightRequestsUnderWay()
    {
        byte[] content = Content(64 * 4096);
        using ManualResetEvent go = new(false);
        using HttpTestServer server = new(query =>
            query.Range is { First: >= 3 * 4096 } ? Held(HttpReply.File(query, content), go) : HttpReply.File(query, content));
        using IBlockFile file = Open(server.Address + "/disk.img");
        byte[] start = new byte[3 * 4096];
        for (int at = 0; at < start.Length; at += 1024)
        {
            file.Read(at, start.AsSpan(at, 1024));
        }

        Assert.True(server.WaitUntil(() => server.Active >= 8), $"{server.Active} requests under way");
        go.Set();
        Assert.Equal(content, ReadAll(file));
        Assert.True(server.MostAtOnce <= Quick.ReadAheadRequests + 1);
    }

    [Fact]
    public void AReaderThatJumpsAboutReadsNothingAhead()
    {
        byte[] content = Content(100 * 4096);
        using HttpTestServer server = new(query => HttpReply.File(query, content));
        using (IBlockFile file = Open(server.Address + "/disk.img"))
        {
            for (int i = 0; i < 10; i++)
            {
                file.Read((i * 37 % 100) * 4096L, new byte[100]);
            }
        }

        Assert.Equal(10, server.Queries.Count(query => query.Method == "GET"));
    }

    [Fact]
    public void AChunkThatManyWantIsAskedForOnce()
    {
        byte[] content = Content(4096);
        using ManualResetEvent go = new(false);
        using HttpTestServer server = new(query => query.Method == "GET" ? Held(HttpReply.File(query, content), go) : HttpReply.File(query, content));
        using IBlockFile file = Open(server.Address + "/disk.img");
        Thread[] readers = [.. Enumerable.Range(0, 6).Select(i => new Thread(() => file.Read(i * 100, new byte[100])))];
        Array.ForEach(readers, reader => reader.Start());
        Assert.True(server.WaitUntil(() => server.Active == 1));
        go.Set();
        Array.ForEach(readers, reader => reader.Join());
        Assert.Single(server.Queries, query => query.Method == "GET");
    }

    [Fact]
    public void ClosingAFileEndsWhatIsUnderWay()
    {
        byte[] content = Content(64 * 4096);
        using ManualResetEvent never = new(false);
        using HttpTestServer server = new(query => query.Range is { First: >= 8192 } ? Held(HttpReply.File(query, content), never) : HttpReply.File(query, content));
        IBlockFile file = Open(server.Address + "/disk.img");
        file.Read(0, new byte[8192]);
        Assert.True(server.WaitUntil(() => server.Active > 0));
        file.Dispose();
        Assert.Throws<ObjectDisposedException>(() => file.Read(0, new byte[10]));
        never.Set();
    }

    [Fact]
    public void WritingIsRefusedInQemusWords()
    {
        ImageException e = Assert.Throws<ImageException>(() => new HttpProtocol().Open("http://127.0.0.1/x", OpenMode.ReadWrite, new LocalFileLocator()));
        Assert.Equal("curl driver does not support writes", e.Message);
    }

    private static HttpReply Held(HttpReply reply, WaitHandle until)
    {
        HttpReply held = new(reply.Status, reply.Body) { HoldAll = until };
        reply.Headers.ForEach(header => held.With(header.Name, header.Value));
        return held;
    }
}
