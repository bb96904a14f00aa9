using System.Buffers;
using System.Runtime.ExceptionServices;

namespace ImageCluster.Imaging.Storage.Http;

/// <summary>
/// A remote file's chunks in memory, bounded, with what a reader will want next already under way. A chunk that several readers want is asked for
/// once. A reader that finds nothing asks by itself, on its own thread; reading ahead has threads of its own, which start with the first need.
/// </summary>
internal sealed class ReadAheadCache : IDisposable
{
    private readonly IRangeReader _reader;
    private readonly HttpSettings _settings;
    private readonly object _gate = new();
    private readonly Dictionary<long, CachedChunk> _chunks = [];
    private readonly Queue<CachedChunk> _wanted = new();
    private readonly ReadingPositions _positions;
    private readonly List<Thread> _threads = [];
    private readonly CancellationTokenSource _closing = new();
    private int _idle;
    private long _clock;
    private bool _disposed;

    public ReadAheadCache(IRangeReader reader, HttpSettings settings)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(settings.ChunkLength);
        ArgumentOutOfRangeException.ThrowIfLessThan(settings.CachedChunks, settings.ReadAheadChunks + 1);
        _reader = reader;
        _settings = settings;
        _positions = new ReadingPositions(settings.ReadAheadChunks);
    }

    /// <summary>Reads; less than asked for only where the file ends.</summary>
    public int Read(long offset, Span<byte> buffer)
    {
        if (offset >= _reader.Length)
        {
            return 0;
        }

        int wanted = (int)Math.Min(buffer.Length, _reader.Length - offset);
        long last = (offset + wanted - 1) / _settings.ChunkLength;
        for (int done = 0; done < wanted;)
        {
            long index = (offset + done) / _settings.ChunkLength;
            CachedChunk chunk = Take(index, last);
            try
            {
                int skip = (int)(offset + done - (index * _settings.ChunkLength));
                int part = Math.Min(chunk.Length - skip, wanted - done);
                chunk.Buffer.AsSpan(skip, part).CopyTo(buffer[done..]);
                done += part;
            }
            finally
            {
                Release(chunk);
            }
        }

        return wanted;
    }

    public void Dispose()
    {
        lock (_gate)
        {
            if (_disposed)
            {
                return;
            }

            _disposed = true;
            _closing.Cancel();
            Monitor.PulseAll(_gate);
        }

        foreach (Thread thread in _threads)
        {
            thread.Join();
        }

        foreach (CachedChunk chunk in _chunks.Values.Where(chunk => chunk.Users == 0))
        {
            ArrayPool<byte>.Shared.Return(chunk.Buffer);
        }

        _chunks.Clear();
        _closing.Dispose();
    }

    // The chunk, loaded; its reader is counted among its users.
    private CachedChunk Take(long index, long last)
    {
        CachedChunk chunk;
        bool mine;
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            chunk = _chunks.GetValueOrDefault(index) ?? Add(index, evictUnread: true)!;
            mine = chunk.State == ChunkState.Wanted;
            chunk.State = mine ? ChunkState.Loading : chunk.State;
            chunk.Users++;
            chunk.LastUse = ++_clock;
            ReadAhead(index, last);
        }

        if (mine)
        {
            Load(chunk);
        }

        lock (_gate)
        {
            while (chunk.State is ChunkState.Loading or ChunkState.Wanted && !_disposed)
            {
                Monitor.Wait(_gate);
            }

            if (chunk.State == ChunkState.Ready)
            {
                return chunk;
            }

            chunk.Users--;
            ObjectDisposedException.ThrowIf(_disposed, this);
            ExceptionDispatchInfo.Throw(chunk.Failure!);
            return chunk;
        }
    }

    private void Release(CachedChunk chunk)
    {
        lock (_gate)
        {
            chunk.Users--;
        }
    }

    // Under the lock.
    private void ReadAhead(long index, long last)
    {
        if (_settings.ReadAheadChunks == 0)
        {
            return;
        }

        // What this very read is going to need is no guess.
        long end = Math.Max(_positions.Read(index), Math.Min(last, index + _settings.ReadAheadChunks) + 1);
        end = Math.Min(end, ((_reader.Length - 1) / _settings.ChunkLength) + 1);
        for (long next = index + 1; next < end; next++)
        {
            if (_chunks.ContainsKey(next))
            {
                continue;
            }

            if (Add(next, evictUnread: false) is not { } chunk)
            {
                break;
            }

            _wanted.Enqueue(chunk);
            Wake();
        }
    }

    private void Wake()
    {
        if (_idle < _wanted.Count && _threads.Count < _settings.ReadAheadRequests)
        {
            Thread thread = new(LoadWanted) { IsBackground = true, Name = $"read-ahead-{_threads.Count + 1}" };
            _threads.Add(thread);
            thread.Start();
        }

        Monitor.PulseAll(_gate);
    }

    // A new chunk in place of the one used longest ago. Null where all are in use; a reader gets one all the same, so memory is bounded by readers too.
    private CachedChunk? Add(long index, bool evictUnread)
    {
        if (_chunks.Count >= _settings.CachedChunks)
        {
            CachedChunk? oldest = null;
            foreach (CachedChunk candidate in _chunks.Values)
            {
                if (candidate is { State: ChunkState.Ready, Users: 0 } && (oldest is null || candidate.LastUse < oldest.LastUse))
                {
                    oldest = candidate;
                }
            }

            if (oldest is not null)
            {
                _chunks.Remove(oldest.Index);
                ArrayPool<byte>.Shared.Return(oldest.Buffer);
            }
            else if (!evictUnread)
            {
                return null;
            }
        }

        int length = (int)Math.Min(_settings.ChunkLength, _reader.Length - (index * _settings.ChunkLength));
        CachedChunk chunk = new(index, ArrayPool<byte>.Shared.Rent(length), length) { LastUse = ++_clock };
        _chunks.Add(index, chunk);
        return chunk;
    }

    private void LoadWanted()
    {
        while (true)
        {
            CachedChunk? chunk;
            lock (_gate)
            {
                while (!_wanted.TryDequeue(out chunk) && !_disposed)
                {
                    _idle++;
                    Monitor.Wait(_gate);
                    _idle--;
                }

                if (_disposed)
                {
                    return;
                }

                if (chunk!.State != ChunkState.Wanted)
                {
                    // A reader was faster.
                    continue;
                }

                chunk.State = ChunkState.Loading;
            }

            Load(chunk);
        }
    }

    private void Load(CachedChunk chunk)
    {
        Exception? failure = null;
        try
        {
            _reader.Read(chunk.Index * _settings.ChunkLength, chunk.Buffer.AsSpan(0, chunk.Length), _closing.Token);
        }
        catch (Exception e)
        {
            failure = e;
        }

        lock (_gate)
        {
            chunk.Failure = failure;
            chunk.State = failure is null ? ChunkState.Ready : ChunkState.Failed;
            if (failure is not null)
            {
                // Whoever comes next asks anew; who waits now is told. (The buffer is left to the collector: a reader may hold it.)
                _chunks.Remove(chunk.Index);
            }

            Monitor.PulseAll(_gate);
        }
    }
}
