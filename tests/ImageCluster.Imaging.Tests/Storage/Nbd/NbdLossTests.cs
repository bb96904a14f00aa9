using ImageCluster.Imaging.Storage;
using ImageCluster.Testing.Nbd;

namespace ImageCluster.Imaging.Tests.Storage.Nbd;

/// <summary>Servers that go away.</summary>
public sealed class NbdLossTests
{
    [SkippableFact]
    public void ReadsGoOnWithTheNextServer()
    {
        using NbdServer server = NbdServer.Kit("pattern", "4M");
        using IBlockFile file = NbdTestFile.Open(server.Url);
        byte[] buffer = new byte[1000];
        file.Read(8, buffer);
        server.Kill();
        server.Start();
        file.Read(1 << 20, buffer);
        Assert.Equal([0, 0, 0, 0, 0, 0x10, 0, 0], buffer[..8]);
    }

    [SkippableFact]
    public void ReadsGiveUpWhenNoServerComesBack()
    {
        using NbdServer server = NbdServer.Kit("pattern", "4M");
        using IBlockFile file = NbdTestFile.Open(server.Url);
        server.Kill();
        ImageException e = Assert.Throws<ImageException>(() => file.Read(0, new byte[3 << 20]));
        Assert.Equal(ImageErrorKind.Io, e.Kind);
        Assert.StartsWith("Could not read ", e.Message, StringComparison.Ordinal);
        Assert.Throws<ImageException>(() => file.NextRange(0, 1));
    }

    [SkippableFact]
    public void AServerWithAnotherDiskIsNotTheSameServer()
    {
        int served = 0;
        using FakeNbdServer server = new(peer =>
        {
            peer.Negotiate(Interlocked.Increment(ref served) == 1 ? 1ul << 20 : 2ul << 20);
            if (peer.ReceiveRequest() is { } request && served > 1)
            {
                peer.Data(request, new byte[request.Length]);
            }
        });
        using IBlockFile file = NbdTestFile.Open(server.Url);
        Assert.Contains("the export has changed", Assert.Throws<ImageException>(() => file.Read(0, new byte[10])).Message, StringComparison.Ordinal);
    }

    [SkippableFact]
    public void WhatWasWrittenIsNotTakenForSafeOnANewConnection()
    {
        using NbdServer server = NbdServer.Kit("memory", "4M");
        using IBlockFile file = NbdTestFile.Open(server.Url, write: true);
        file.Write(0, [1, 2, 3]);
        server.Kill();
        server.Start();
        Assert.Throws<ImageException>(() => file.Write(0, [4]));
        Assert.Throws<ImageException>(() => file.Read(0, new byte[3]));
        Assert.Throws<ImageException>(file.Flush);
        Assert.Throws<ImageException>(file.Flush);
    }

    [SkippableFact]
    public void AServerThatDiesInTheMiddleOfManyThreadsEndsThemAll()
    {
        using NbdServer server = NbdServer.Kit("--filter=delay", "pattern", "64M", "rdelay=50ms");
        using IBlockFile file = NbdTestFile.Open(server.Url);
        using CountdownEvent running = new(8);
        int failures = 0;
        Thread[] threads = [.. Enumerable.Range(0, 8).Select(i => new Thread(() =>
        {
            byte[] buffer = new byte[64 << 10];
            file.Read(i * 64 << 10, buffer);
            running.Signal();
            try
            {
                for (int k = 0; k < 10_000; k++)
                {
                    file.Read((i + k) * 100, buffer);
                }
            }
            catch (ImageException)
            {
                Interlocked.Increment(ref failures);
            }
        }))];
        Array.ForEach(threads, static thread => thread.Start());
        Assert.True(running.Wait(TimeSpan.FromSeconds(60)));
        server.Kill();
        Array.ForEach(threads, static thread => Assert.True(thread.Join(TimeSpan.FromSeconds(60))));
        Assert.Equal(8, failures);
    }

    [Fact]
    public void AServerThatSaysNothingMoreIsLeft()
    {
        using FakeNbdServer server = new(static peer =>
        {
            peer.Negotiate(1 << 20);
            while (peer.ReceiveRequest() is not null)
            {
                // Taken, and never answered.
            }
        });
        using IBlockFile file = NbdTestFile.Open(server.Url, settings: NbdTestFile.Quick with { Timeout = TimeSpan.FromMilliseconds(200), ReadRetries = 1 });
        Assert.Contains("has not answered for 0.2 seconds", Assert.Throws<ImageException>(() => file.Read(0, new byte[10])).Message, StringComparison.Ordinal);
        Assert.Equal(2, server.Connections);
    }

    [Fact]
    public void AFlushMayTakeLongerThanAnythingElse()
    {
        using ManualResetEventSlim never = new();
        using FakeNbdServer server = new(peer =>
        {
            peer.Negotiate(1 << 20, flags: 1 | (1 << 2));
            while (peer.ReceiveRequest() is { } request)
            {
                if (request.Command == 3)
                {
                    never.Wait(TimeSpan.FromMilliseconds(500));
                }

                peer.Chunk(request.Cookie, 0, true);
            }
        });
        using IBlockFile file = NbdTestFile.Open(server.Url, write: true, settings: NbdTestFile.Quick with { Timeout = TimeSpan.FromMilliseconds(50), FlushTimeout = TimeSpan.FromMinutes(2) });
        file.Flush();
    }

    [Fact]
    public void AServerThatNeverGreetsIsLeft()
    {
        using ManualResetEventSlim end = new();
        using FakeNbdServer server = new(_ => end.Wait());
        ImageException e = Assert.Throws<ImageException>(() =>
            NbdTestFile.Open(server.Url, settings: NbdTestFile.Quick with { ConnectTimeout = TimeSpan.FromMilliseconds(200) }));
        end.Set();
        Assert.EndsWith("Connection timed out", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ClosingSaysGoodbye()
    {
        using ManualResetEventSlim goodbye = new();
        using FakeNbdServer server = new(peer =>
        {
            peer.Negotiate(1 << 20);
            if (peer.ReceiveRequest() is null)
            {
                goodbye.Set();
            }
        });
        NbdTestFile.Open(server.Url).Dispose();
        Assert.True(goodbye.Wait(TimeSpan.FromSeconds(30)));
    }
}
