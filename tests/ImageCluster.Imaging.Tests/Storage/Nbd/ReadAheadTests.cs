using ImageCluster.Imaging.Storage.Nbd;

namespace ImageCluster.Imaging.Tests.Storage.Nbd;

public sealed class ReadAheadTests
{
    private const int Chunk = 1024;
    private const int Depth = 8;
    private const long End = 64 * Chunk;

    private readonly List<(long Offset, int Length)> _started = [];
    private bool _fails;

    private ReadAhead Make(Func<long, long>? nextData = null) => new(Start, nextData ?? (static offset => offset), End, Chunk, Depth);

    [Theory]
    [InlineData(100)]
    [InlineData(1024)]
    [InlineData(3000)]
    [InlineData(20000)]
    public void ASequentialReaderIsReadAheadOfAndGetsTheRightBytes(int size)
    {
        ReadAhead ahead = Make();
        int most = 0;
        long fromAhead = 0;
        for (long at = 0; at < End; at += size)
        {
            fromAhead += Check(ahead, at, (int)Math.Min(size, End - at));
            most = Math.Max(most, ahead.Ahead);
        }

        Assert.Equal(Depth, most);
        Assert.True(fromAhead > End / 2, $"{fromAhead} bytes were read ahead");
        Assert.Equal(_started.Distinct(), _started);
        Assert.All(_started, s => Assert.True(s.Offset + s.Length <= End));
    }

    [Fact]
    public void ARandomReaderIsLeftAlone()
    {
        ReadAhead ahead = Make();
        for (int i = 0; i < 100; i++)
        {
            Assert.Equal(0, Check(ahead, i * 7919 % (int)End / 10 * 10, 100));
        }

        Assert.Empty(_started);
    }

    [Fact]
    public void AJumpForgetsWhatWasReadAhead()
    {
        ReadAhead ahead = Make();
        for (int i = 0; i < 5; i++)
        {
            Check(ahead, i * 100, 100);
        }

        Assert.NotEqual(0, ahead.Ahead);
        Assert.Equal(0, Check(ahead, 30 * Chunk, 100));
        Assert.Equal(0, ahead.Ahead);
    }

    [Fact]
    public void KnownHolesAreNotRead()
    {
        // From 4 to 40 chunks there is a hole that the reader skips too.
        ReadAhead ahead = Make(static offset => offset is >= 4 * Chunk and < 40 * Chunk ? 40 * Chunk : offset);
        for (long at = 0; at < 4 * Chunk; at += 256)
        {
            Check(ahead, at, 256);
        }

        Assert.Equal(256, Check(ahead, 40 * Chunk, 256));
        Assert.DoesNotContain(_started, s => s.Offset is >= 4 * Chunk and < 40 * Chunk);
    }

    [Fact]
    public void AFailureIsLeftToTheReader()
    {
        ReadAhead ahead = Make();
        for (int i = 0; i < 5; i++)
        {
            Check(ahead, i * 100, 100);
        }

        _fails = true;
        long at = 500;
        for (; at < 20 * Chunk; at += 100)
        {
            if (Check(ahead, at, 100) == 0)
            {
                break;
            }
        }

        Assert.InRange(at, 500, 20 * Chunk - 1);
    }

    [Fact]
    public void SeveralReadersAtOnceAreLeftAlone()
    {
        ReadAhead ahead = Make();
        byte[] buffer = new byte[100];
        Assert.Equal(0, ahead.Read(0, buffer));
        Assert.Equal(0, ahead.Read(100, buffer));
        ahead.Ended();
        ahead.Ended();
        for (int i = 2; i < 50; i++)
        {
            Assert.Equal(0, Check(ahead, i * 100, 100));
        }

        Assert.Empty(_started);
    }

    private static byte At(long offset) => (byte)(offset * 31 >> 3);

    private static int Check(ReadAhead ahead, long offset, int length)
    {
        byte[] buffer = new byte[length];
        int done = ahead.Read(offset, buffer);
        ahead.Ended();
        for (int i = 0; i < done; i++)
        {
            Assert.Equal(At(offset + i), buffer[i]);
        }

        return done;
    }

    private Read Start(long offset, Memory<byte> target)
    {
        _started.Add((offset, target.Length));
        return new Read(this, offset, target);
    }

    private sealed class Read(ReadAheadTests test, long offset, Memory<byte> target) : IPendingRead
    {
        public void Wait()
        {
            if (test._fails)
            {
                throw new ImageException(ImageErrorKind.Io, null, "no");
            }

            for (int i = 0; i < target.Length; i++)
            {
                target.Span[i] = At(offset + i);
            }
        }
    }
}
