namespace ImageCluster.Imaging.Operations.Converting;

/// <summary>
/// Walks a source in guest order and cuts it into runs for the workers. Borders between data and zeros are rounded to the target's
/// granularity, so that no unit of the target is touched by two runs. Not thread-safe: workers call it under the converter's lock.
/// </summary>
internal sealed class RunCursor(IConvertSource source, RunShape shape, long start, long end, Func<long, ImageException, bool>? onMapError = null)
{
    private const int SectorSize = 512;

    private long _at = start;
    private SourceRange _ahead;

    /// <summary>Guest offset up to which everything has been handed out or skipped.</summary>
    public long Position => _at;

    /// <summary>The next run that something has to be done for; false at the end.</summary>
    public bool TryNext(out SourceRun run)
    {
        while (_at < end)
        {
            long limit = ShardEnd(_at);
            long blank = BlankUntil(_at, limit, out SourceKind kind);
            if (blank > _at)
            {
                long from = _at;
                bool skip = kind == SourceKind.Same || shape.SkipZeros;
                blank = skip ? blank : Math.Min(blank, from + shape.ZeroLength);
                Advance(blank);
                if (skip)
                {
                    continue;
                }

                run = new SourceRun(from, (int)(blank - from), IsZero: true);
                return true;
            }

            run = TakeData(Math.Min(limit, _at + shape.DataLength));
            return true;
        }

        run = default;
        return false;
    }

    private long ShardEnd(long at) => Math.Min(end, ((at / shape.ShardLength) + 1) * shape.ShardLength);

    private long RoundDown(long offset) => offset >= end ? end : offset / shape.Granularity * shape.Granularity;

    private long RoundUp(long offset) => Math.Min(end, (offset + shape.Granularity - 1) / shape.Granularity * shape.Granularity);

    // Whole units of one blank kind from `at` on; `at` itself where the first unit holds data.
    private long BlankUntil(long at, long limit, out SourceKind kind)
    {
        kind = Look(at).Kind;
        if (kind == SourceKind.Data || (kind == SourceKind.Zero && shape.ZerosAreData))
        {
            kind = SourceKind.Data;
            return at;
        }

        long until = at;
        while (until < limit)
        {
            SourceRange next = Peek(until);
            if (next.Kind != kind)
            {
                break;
            }

            until += next.Length;
        }

        return Math.Max(at, RoundDown(Math.Min(until, limit)));
    }

    // Data, and blank stretches too short to hold a whole unit, up to the limit.
    private SourceRun TakeData(long limit)
    {
        long from = _at;
        long until = from;
        long blankFrom = from;
        SourceKind kind = SourceKind.Data;
        while (until < limit)
        {
            // A source may tell one blank stretch in several parts.
            SourceRange next = Peek(until);
            blankFrom = next.Kind == kind ? blankFrom : until;
            kind = next.Kind;
            if (kind != SourceKind.Data && !(kind == SourceKind.Zero && shape.ZerosAreData)
                && RoundDown(until + next.Length) > RoundUp(blankFrom) && RoundUp(blankFrom) > from)
            {
                until = RoundUp(blankFrom);
                break;
            }

            until += next.Length;
        }

        until = Math.Min(limit, RoundUp(until));
        Advance(until);
        return new SourceRun(from, (int)(until - from), IsZero: false);
    }

    // What the source says at `_at`; asked once per range.
    private SourceRange Look(long at)
    {
        if (_ahead.Length == 0)
        {
            _ahead = Ask(at);
        }

        return _ahead;
    }

    private SourceRange Peek(long offset) =>
        offset - _at < _ahead.Length
            ? _ahead with { Length = _ahead.Length - (offset - _at) }
            : Ask(offset);

    // Where errors are tolerated, shorter and shorter ranges are asked about: only what nothing is known of is taken for data.
    private SourceRange Ask(long offset)
    {
        long sector = Math.Min(end - offset, SectorSize - (offset % SectorSize));
        for (long length = end - offset; ; length = Math.Max(sector, (length + 3) / 4 / SectorSize * SectorSize))
        {
            try
            {
                return source.Map(offset, length);
            }
            catch (ImageException) when (onMapError is not null && length > sector)
            {
            }
            catch (ImageException e)
            {
                return onMapError?.Invoke(offset, e) == true ? new SourceRange(sector, SourceKind.Data) : throw e.At(DiskAccess.Map, offset);
            }
        }
    }

    private void Advance(long to)
    {
        long moved = to - _at;
        _ahead = moved < _ahead.Length ? _ahead with { Length = _ahead.Length - moved } : default;
        _at = to;
    }
}

/// <summary>A piece of work: bytes of the source to be brought into the target.</summary>
internal readonly record struct SourceRun(long Offset, int Length, bool IsZero);

/// <summary>How a source is cut into runs; lengths in bytes.</summary>
internal readonly record struct RunShape(long Granularity, long ShardLength, int DataLength, int ZeroLength, bool SkipZeros, bool ZerosAreData);
