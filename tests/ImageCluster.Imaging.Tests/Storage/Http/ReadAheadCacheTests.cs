using ImageCluster.Imaging.Storage.Http;

namespace ImageCluster.Imaging.Tests.Storage.Http;

/// <summary>The cache over a reader that counts, and fails when told to.</summary>
public sealed class ReadAheadCacheTests
{
    private const int Chunk = 1024;

    private static readonly HttpSettings Settings = new() { ChunkLength = Chunk, CachedChunks = 8, ReadAheadChunks = 0 };

    [Fact]
    public void WhatIsKeptIsNotAskedForAgainAndNoMoreIsKept()
    {
        CountingReader reader = new(100 * Chunk);
        using ReadAheadCache cache = new(reader, Settings);
        byte[] buffer = new byte[10];
        for (int i = 0; i < 8; i++)
        {
            cache.Read(i * Chunk, buffer);
            cache.Read(0, buffer);
        }

        Assert.Equal(8, reader.Asked.Count);

        // The first was used last of all: the second goes.
        cache.Read(50 * Chunk, buffer);
        cache.Read(0, buffer);
        Assert.Equal(9, reader.Asked.Count);
        cache.Read(1 * Chunk, buffer);
        Assert.Equal(10, reader.Asked.Count);
    }

    [Fact]
    public void ASweepThroughALargeFileAsksForEachChunkOnce()
    {
        CountingReader reader = new((200 * Chunk) - 7);
        using (ReadAheadCache cache = new(reader, Settings with { ReadAheadChunks = 4, CachedChunks = 8 }))
        {
            byte[] buffer = new byte[300];
            for (long at = 0; at < reader.Length;)
            {
                int read = cache.Read(at, buffer);
                for (int i = 0; i < read; i++)
                {
                    Assert.Equal(CountingReader.ByteAt(at + i), buffer[i]);
                }

                at += read;
            }
        }

        Assert.Equal(200, reader.Asked.Count);
        Assert.Equal(200, reader.Asked.Distinct().Count());
    }

    [Fact]
    public void AFailureAheadIsSeenByNobodyWhoDoesNotReadThere()
    {
        CountingReader reader = new(100 * Chunk) { FailsFrom = 5 * Chunk };
        using ReadAheadCache cache = new(reader, Settings with { ReadAheadChunks = 6 });
        byte[] buffer = new byte[Chunk];
        for (int i = 0; i < 5; i++)
        {
            Assert.Equal(Chunk, cache.Read(i * Chunk, buffer));
        }

        Assert.Throws<ImageException>(() => cache.Read(5 * Chunk, buffer));

        // Once the trouble has passed, what failed is asked for anew.
        reader.FailsFrom = long.MaxValue;
        Assert.Equal(Chunk, cache.Read(5 * Chunk, buffer));
    }

    private sealed class CountingReader(long length) : IRangeReader
    {
        private long _failsFrom = long.MaxValue;

        public long Length => length;

        public string Version => "";

        public System.Collections.Concurrent.ConcurrentQueue<long> Asked { get; } = new();

        public long FailsFrom
        {
            get => Volatile.Read(ref _failsFrom);
            set => Volatile.Write(ref _failsFrom, value);
        }

        public static byte ByteAt(long offset) => (byte)(offset * 31 >> 3);

        public void Read(long offset, Span<byte> buffer, CancellationToken cancel)
        {
            Asked.Enqueue(offset);
            if (offset >= FailsFrom)
            {
                throw new ImageException(ImageErrorKind.Io, "fake", "no");
            }

            for (int i = 0; i < buffer.Length; i++)
            {
                buffer[i] = ByteAt(offset + i);
            }
        }
    }
}
