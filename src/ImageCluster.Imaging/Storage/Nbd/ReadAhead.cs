namespace ImageCluster.Imaging.Storage.Nbd;

/// <summary>
/// Keeps reads of far storage under way ahead of one sequential reader. It begins small once several reads have followed each other, grows
/// while they do, and forgets all when they no longer do. Several readers at once keep reads under way themselves: they are left alone.
/// </summary>
/// <param name="start">Starts a read that fills the buffer.</param>
/// <param name="nextData">The first offset from the given one on that is worth reading: behind a hole that is known.</param>
/// <param name="end">Bytes of the file.</param>
/// <param name="chunk">Bytes of one read.</param>
/// <param name="depth">Reads under way at the most.</param>
internal sealed class ReadAhead(Func<long, Memory<byte>, IPendingRead> start, Func<long, long> nextData, long end, int chunk, int depth)
{
    // Reads that must follow each other before anything is read ahead, and how many more after several readers were seen at once.
    private const int Habit = 2;
    private const int AfterCrowd = 64;

    private readonly Lock _gate = new();
    private readonly Queue<Chunk> _ahead = new();
    private readonly Stack<byte[]> _spare = new();
    private int _readers;
    private volatile bool _crowd;
    private int _streak;
    private int _window;
    private long _expected;
    private long _frontier;

    /// <summary>Reads under way ahead, for tests.</summary>
    public int Ahead => _ahead.Count;

    /// <summary>Reads the start of <paramref name="buffer"/> from what was read ahead; returns how many bytes, 0 where the caller is to read itself.</summary>
    public int Read(long offset, Span<byte> buffer)
    {
        if (Interlocked.Increment(ref _readers) > 1)
        {
            _crowd = true;
            return 0;
        }

        lock (_gate)
        {
            return Take(offset, buffer);
        }
    }

    /// <summary>The caller has all bytes of a read that it began with <see cref="Read"/>, whatever came of it.</summary>
    public void Ended() => Interlocked.Decrement(ref _readers);

    private int Take(long offset, Span<byte> buffer)
    {
        if (_crowd)
        {
            _crowd = false;
            _streak = -AfterCrowd;
        }

        bool follows = offset == _expected || offset == nextData(_expected);
        _expected = offset + buffer.Length;
        _streak = follows ? Math.Min(_streak + 1, Habit) : Math.Min(_streak, 0);
        if (!follows)
        {
            Forget();
        }

        if (_streak < Habit)
        {
            return 0;
        }

        if (_ahead.Count == 0)
        {
            _frontier = offset;
            _window = 1;
        }

        try
        {
            Fill();
            return Copy(offset, buffer);
        }
        catch (ImageException)
        {
            // The caller reads it again by itself, and says what is wrong if it is still so.
            Forget();
            return 0;
        }
    }

    private int Copy(long offset, Span<byte> buffer)
    {
        int done = 0;
        while (done < buffer.Length && _ahead.TryPeek(out Chunk? head) && head.Offset <= offset + done)
        {
            long at = offset + done - head.Offset;
            if (at < head.Length)
            {
                head.Pending.Wait();
                int part = (int)Math.Min(buffer.Length - done, head.Length - at);
                head.Buffer.AsSpan((int)at, part).CopyTo(buffer[done..]);
                done += part;
                at += part;
            }

            if (at >= head.Length)
            {
                head.Pending.Wait();
                _spare.Push(_ahead.Dequeue().Buffer);
                Fill();
            }
        }

        return done;
    }

    private void Fill()
    {
        while (_ahead.Count < _window && _frontier < end)
        {
            long offset = nextData(_frontier);
            int length = (int)Math.Min(chunk, end - offset);
            if (length <= 0)
            {
                _frontier = end;
                return;
            }

            byte[] buffer = _spare.TryPop(out byte[]? spare) ? spare : GC.AllocateUninitializedArray<byte>(chunk);
            _ahead.Enqueue(new Chunk(offset, length, buffer, start(offset, buffer.AsMemory(0, length))));
            _frontier = offset + length;
        }

        _window = Math.Min(depth, _window * 2);
    }

    // The buffers of reads under way are left to them.
    private void Forget() => _ahead.Clear();

    private sealed record Chunk(long Offset, int Length, byte[] Buffer, IPendingRead Pending);
}
