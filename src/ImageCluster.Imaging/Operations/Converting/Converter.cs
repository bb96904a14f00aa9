using System.Runtime.ExceptionServices;
using ImageCluster.Imaging.Formats.Filling;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Operations.Converting;

/// <summary>
/// Brings a source's bytes into a target, by as many threads as asked for. Threads take runs from one cursor in guest order; each
/// reads and prepares its run alone, takes room by ticket, and writes alone. Cancellation is looked at between runs.
/// </summary>
public sealed class Converter
{
    private readonly IConvertSource _source;
    private readonly IFillTarget _target;
    private readonly ConvertOptions _options;
    private readonly bool _byTicket;
    private readonly bool _stateZeroes;

    private readonly object _gate = new();
    private readonly Turnstile _turnstile = new();
    private readonly ShardLedger _ledger;
    private readonly IRoom _room;
    private RunCursor? _cursor;
    private long _nextTicket;
    private long _nextShard;
    private long _reported;
    private Exception? _failure;
    private volatile bool _copiesRanges;
    private volatile bool _copiesWhole;

    public Converter(IConvertSource source, IFillTarget target, ConvertOptions options, IRoom? room = null)
    {
        _source = source;
        _target = target;
        _options = options;
        _room = room ?? target.Room;

        // A target that is one stream is filled in guest order whatever was asked for.
        _byTicket = target.ReservesRoom && !(options.OutOfOrder && target.ShardsIndependent);
        _stateZeroes = !(target.UnwrittenIsZero || options.TargetIsZero);
        _ledger = new ShardLedger(CloseShard);
        _copiesRanges = options.CopyRanges && !_byTicket && target is IRangeTarget;
        _copiesWhole = options.CopyRanges && !_copiesRanges && target.TakesCopies;
    }

    /// <summary>
    /// Converts the whole disk, shard after shard, and publishes each shard as it closes. The caller finishes the target.
    /// </summary>
    public void Run(CancellationToken cancel) => Run(0, ShardCount, cancel);

    /// <summary>Converts the shards from <paramref name="firstShard"/> to the one before <paramref name="endShard"/>.</summary>
    public void Run(long firstShard, long endShard, CancellationToken cancel)
    {
        _nextShard = firstShard;
        _reported = firstShard * _target.ShardLength;
        int threads = Math.Max(1, _options.Threads);
        Thread[] helpers = new Thread[threads - 1];
        for (int i = 0; i < helpers.Length; i++)
        {
            helpers[i] = new Thread(() => Work(endShard, cancel)) { IsBackground = true, Name = $"convert-{i + 1}" };
            helpers[i].Start();
        }

        Work(endShard, cancel);
        foreach (Thread helper in helpers)
        {
            helper.Join();
        }

        if (_failure is not null)
        {
            ExceptionDispatchInfo.Throw(_failure);
        }

        cancel.ThrowIfCancellationRequested();
    }

    /// <summary>Number of shards of the target.</summary>
    public long ShardCount => (_target.VirtualSize + _target.ShardLength - 1) / _target.ShardLength;

    private void Work(long endShard, CancellationToken cancel)
    {
        using FillRun run = new() { SparseSize = _options.SparseSize, StateZeroes = _stateZeroes };
        try
        {
            while (!cancel.IsCancellationRequested && TryTake(endShard, out SourceRun work, out long ticket, out long shard))
            {
                if (!TryDo(work, ticket, run))
                {
                    break;
                }

                _ledger.Done(shard);
            }
        }
        catch (Exception e)
        {
            // The first failure is the one to report; later ones follow from it.
            Interlocked.CompareExchange(ref _failure, e, null);
            _turnstile.Close();
        }

        if (cancel.IsCancellationRequested)
        {
            _turnstile.Close();
        }
    }

    // False where another worker failed meanwhile: the run is not written.
    private bool TryDo(SourceRun work, long ticket, FillRun run)
    {
        if (work.IsZero)
        {
            run.StartZero(work.Offset, work.Length);
        }
        else
        {
            _options.Throttle?.Invoke(work.Length);
            if (_copiesRanges && TryCopy(work))
            {
                return true;
            }

            if (CopiesWhole(work))
            {
                run.StartCopy(work.Offset, work.Length, CopyInto, Read);
            }
            else
            {
                run.StartData(work.Offset, work.Length);
                run.SparseSize = _options.SparseSize;
                Read(work.Offset, run.Data);
            }
        }

        try
        {
            return TryWrite(ticket, run);
        }
        catch (ImageException e)
        {
            throw e.At(DiskAccess.Write, work.Offset);
        }
    }

    private bool TryWrite(long ticket, FillRun run)
    {
        _target.Prepare(run);
        if (_byTicket)
        {
            if (!_turnstile.Pass(ticket, () => _target.Reserve(run, _room)))
            {
                return false;
            }
        }
        else
        {
            _target.Reserve(run, _room);
        }

        _target.Write(run);
        return true;
    }

    private bool TryCopy(SourceRun work)
    {
        (IBlockFile file, long offset) = ((IRangeTarget)_target).PlaceOf(work.Offset);
        try
        {
            if (work.Offset + work.Length <= _source.VirtualSize && _source.TryCopy(work.Offset, work.Length, file, offset))
            {
                return true;
            }
        }
        catch (ImageException e)
        {
            throw e.At(DiskAccess.Write, work.Offset);
        }

        _copiesRanges = false;
        return false;
    }

    private bool CopyInto(long guestOffset, long length, IBlockFile file, long offset)
    {
        if (_copiesWhole && _source.TryCopy(guestOffset, length, file, offset))
        {
            return true;
        }

        _copiesWhole = false;
        return false;
    }

    private bool CopiesWhole(SourceRun work)
    {
        if (_copiesWhole && !(work.Offset + work.Length <= _source.VirtualSize && _source.CanCopy(work.Offset, work.Length)))
        {
            _copiesWhole = false;
        }

        return _copiesWhole;
    }

    private void Read(long offset, Span<byte> buffer)
    {
        // Past the source's end (the target may be larger) there are zeros.
        int inside = (int)Math.Clamp(_source.VirtualSize - offset, 0, buffer.Length);
        buffer[inside..].Clear();
        if (inside == 0)
        {
            return;
        }

        try
        {
            if (_options.OnReadError is null)
            {
                _source.Read(offset, buffer[..inside]);
            }
            else
            {
                SalvageReader.Read(_source, offset, buffer[..inside], _options.OnReadError);
            }
        }
        catch (ImageException e)
        {
            throw e.At(DiskAccess.Read, FirstUnreadable(offset, buffer[..inside]));
        }
    }

    // Where the extent starts that cannot be read.
    private long FirstUnreadable(long offset, Span<byte> buffer)
    {
        long at = offset;
        try
        {
            for (long end = offset + buffer.Length; at < end;)
            {
                long length = _source.Map(at, end - at).Length;
                _source.Read(at, buffer[..(int)length]);
                at += length;
            }

            return offset;
        }
        catch (ImageException)
        {
            return at;
        }
    }

    private bool TryTake(long endShard, out SourceRun work, out long ticket, out long shard)
    {
        lock (_gate)
        {
            while (_failure is null)
            {
                if (_cursor is null && !OpenNextShard(endShard))
                {
                    break;
                }

                shard = _nextShard - 1;
                if (_cursor!.TryNext(out work))
                {
                    ticket = _nextTicket++;
                    _ledger.Taken(shard);
                    Report(_cursor.Position);
                    return true;
                }

                Report(_cursor.Position);
                _cursor = null;
                _ledger.AllTaken(shard);
            }
        }

        (work, ticket, shard) = (default, 0, 0);
        return false;
    }

    private bool OpenNextShard(long endShard)
    {
        while (_nextShard < endShard)
        {
            long shard = _nextShard++;
            long start = shard * _target.ShardLength;
            long end = Math.Min(start + _target.ShardLength, _target.VirtualSize);
            if (_options.IsShardDone(shard))
            {
                Report(end);
                continue;
            }

            _ledger.Open(shard);
            _cursor = new RunCursor(new PaddedSource(_source, end), Shape(), start, end, _options.OnMapError);
            return true;
        }

        return false;
    }

    private RunShape Shape() => new(
        _target.Granularity,
        _target.ShardLength,
        _target.PreferredRunLength,
        ZeroLength: (int)Math.Min(_target.ShardLength, 1 << 30),
        SkipZeros: !_stateZeroes,
        ZerosAreData: _options.SparseSize == 0);

    private void Report(long position)
    {
        if (position > _reported)
        {
            _options.Progress?.Invoke(position - _reported);
            _reported = position;
        }
    }

    private void CloseShard(long shard, bool written)
    {
        ShardManifest? manifest = written ? _target.CloseShard(shard) : null;
        if (_options.ShardClosed is { } closed)
        {
            closed(shard, manifest);
        }
        else if (manifest is not null)
        {
            _target.Publish(manifest);
        }
    }
}
