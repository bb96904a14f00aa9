using System.Buffers;
using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Extents;
using ImageCluster.Imaging.Operations.Converting;

namespace ImageCluster.Imaging.Operations.Verifying;

/// <summary>
/// Reads a disk back in one pass: computes its <see cref="GuestDigest"/> and, where there is one, compares it with the disk that it was made
/// from. Several threads take leaves of the digest in guest order; what is zeros in both by their metadata is not read. Used once; does not
/// own the disks.
/// </summary>
public sealed class DiskVerifier
{
    private const int SectorSize = 512;

    private readonly LayeredDisk _disk;
    private readonly LayeredDisk? _source;
    private readonly VerifyOptions _options;
    private readonly long _diskEnd;

    private readonly Lock _gate = new();
    private readonly GuestDigestTree _tree;
    private readonly Dictionary<long, GuestDigestShard> _open = [];
    private readonly ShardLedger _ledger;
    private long _end;
    private long _next;
    private long _blankUntil;
    private long _shard = -1;
    private bool _leftOut;
    private long _differenceAt = long.MaxValue;
    private Exception? _failure;

    /// <param name="disk">What is read back.</param>
    /// <param name="source">What it must equal; null for the digest alone. A longer disk must hold zeros behind the end of its source.</param>
    /// <param name="options">How.</param>
    public DiskVerifier(LayeredDisk disk, LayeredDisk? source, VerifyOptions options)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(options.ShardLength);
        ArgumentOutOfRangeException.ThrowIfNotEqual(options.ShardLength % GuestDigest.LeafLength, 0, nameof(options));
        if (source is null && !options.TakesDigest)
        {
            throw new ArgumentException("There is nothing to compare with, and no digest is wanted", nameof(options));
        }

        _disk = disk;
        _source = source;
        _options = options;
        _diskEnd = _end = disk.VirtualSize;
        _tree = new GuestDigestTree(_diskEnd);
        _ledger = new ShardLedger((shard, _) => CloseShard(shard));
    }

    /// <summary>Reads back the shards from <paramref name="first"/> to the one before <paramref name="end"/>; the whole digest is the caller's to put together.</summary>
    public VerifyResult Run(long first, long end, CancellationToken cancel)
    {
        _next = (long)Int128.Min(_diskEnd, (Int128)first * _options.ShardLength);
        _end = (long)Int128.Min(_diskEnd, (Int128)end * _options.ShardLength);
        _leftOut |= _next > 0 || _end < _diskEnd;
        return Run(cancel);
    }

    public VerifyResult Run(CancellationToken cancel)
    {
        Thread[] helpers = new Thread[Math.Max(1, _options.Threads) - 1];
        for (int i = 0; i < helpers.Length; i++)
        {
            helpers[i] = new Thread(() => Work(cancel)) { IsBackground = true, Name = $"verify-{i + 1}" };
            helpers[i].Start();
        }

        Work(cancel);
        foreach (Thread helper in helpers)
        {
            helper.Join();
        }

        if (_failure is not null)
        {
            throw _failure is ImageException e ? e.Saying(e.Message) : _failure;
        }

        cancel.ThrowIfCancellationRequested();
        if (_differenceAt == long.MaxValue && _source is not null && _source.VirtualSize > _diskEnd && _end == _diskEnd)
        {
            _differenceAt = _diskEnd;
        }

        return _differenceAt < long.MaxValue ? new VerifyResult(null, _differenceAt) : new VerifyResult(_leftOut || !_options.TakesDigest ? null : _tree.Finish(), null);
    }

    private void Work(CancellationToken cancel)
    {
        byte[] buffer = ArrayPool<byte>.Shared.Rent(GuestDigest.LeafLength);
        byte[] expected = _source is null ? [] : ArrayPool<byte>.Shared.Rent(GuestDigest.LeafLength);
        try
        {
            while (!cancel.IsCancellationRequested && TryTake(cancel, out long offset))
            {
                if (Verify(offset, buffer, expected))
                {
                    _ledger.Done(offset / _options.ShardLength);
                }
            }
        }
        catch (Exception e)
        {
            // The first failure is the one to report; later ones follow from it.
            Interlocked.CompareExchange(ref _failure, e, null);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
            if (expected.Length > 0)
            {
                ArrayPool<byte>.Shared.Return(expected);
            }
        }
    }

    // The next leaf in which anything must be read. Blank leaves are skipped under the lock: that is metadata work only.
    private bool TryTake(CancellationToken cancel, out long offset)
    {
        lock (_gate)
        {
            while (_next < _end && _next < _differenceAt && _failure is null && !cancel.IsCancellationRequested)
            {
                offset = _next;
                if (!Enter(offset / _options.ShardLength))
                {
                    _next = ShardEnd(offset);
                    _leftOut = true;
                    continue;
                }

                long leafEnd = offset + Math.Min(GuestDigest.LeafLength, _end - offset);
                if (BlankUntil(offset) >= leafEnd)
                {
                    _next = Math.Min(ShardEnd(offset), _blankUntil == _end ? _end : _blankUntil / GuestDigest.LeafLength * GuestDigest.LeafLength);
                    continue;
                }

                _next = leafEnd;
                _ledger.Taken(_shard);
                return true;
            }

            if (_next == _end)
            {
                Leave();
            }
        }

        offset = 0;
        return false;
    }

    private long ShardEnd(long offset) =>
        (long)Int128.Min(_end, ((Int128)(offset / _options.ShardLength) + 1) * _options.ShardLength);

    // False where the shard was done before.
    private bool Enter(long shard)
    {
        if (shard == _shard)
        {
            return true;
        }

        Leave();
        if (_options.IsShardDone(shard))
        {
            return false;
        }

        long start = shard * _options.ShardLength;
        lock (_open)
        {
            _open.Add(shard, new GuestDigestShard(start, ShardEnd(start) - start, _diskEnd));
        }

        _shard = shard;
        _ledger.Open(shard);
        return true;
    }

    private void Leave()
    {
        if (_shard >= 0)
        {
            _ledger.AllTaken(_shard);
            _shard = -1;
        }
    }

    private void CloseShard(long shard)
    {
        GuestDigestShard? closed;
        lock (_open)
        {
            _open.Remove(shard, out closed);
        }

        IReadOnlyList<GuestDigestPart> parts = _options.TakesDigest ? closed!.Close() : [];
        _tree.Add(parts);
        _options.ShardVerified?.Invoke(shard, parts);
    }

    // Up to where both disks say that they hold zeros, from a leaf's start on.
    private long BlankUntil(long at)
    {
        _blankUntil = Math.Max(at, _blankUntil);
        long enough = ShardEnd(at);
        while (_blankUntil < enough)
        {
            long length = BlankLength(_disk, _blankUntil, _end - _blankUntil);
            if (_source is not null && length > 0)
            {
                length = BlankLength(_source, _blankUntil, length);
            }

            if (length == 0)
            {
                break;
            }

            _blankUntil += length;
        }

        return _blankUntil;
    }

    private static long BlankLength(LayeredDisk disk, long at, long length)
    {
        if (at >= disk.VirtualSize)
        {
            return length;
        }

        Extent extent = disk.Map(at, Math.Min(length, disk.VirtualSize - at)).Extent;
        return extent.Kind is ExtentKind.Absent or ExtentKind.Zero ? extent.Length : 0;
    }

    // False where a difference was found: the shard is then never closed.
    private bool Verify(long offset, byte[] buffer, byte[] expected)
    {
        int length = (int)Math.Min(GuestDigest.LeafLength, _end - offset);
        _options.Throttle?.Invoke(length);
        Span<byte> leaf = buffer.AsSpan(0, length);
        _disk.Read(offset, leaf);
        if (_source is not null)
        {
            Span<byte> other = expected.AsSpan(0, length);
            _source.Read(offset, other);
            int same = leaf.CommonPrefixLength(other);
            if (same < length)
            {
                Found(offset + (same / SectorSize * SectorSize));
                return false;
            }
        }

        if (_options.TakesDigest)
        {
            buffer.AsSpan(length, GuestDigest.LeafLength - length).Clear();
            SetLeaf(offset, GuestHash.Of(buffer.AsSpan(0, GuestDigest.LeafLength)));
        }

        _options.Progress?.Invoke(length);
        return true;
    }

    private void SetLeaf(long offset, GuestHash hash)
    {
        GuestDigestShard shard;
        lock (_open)
        {
            shard = _open[offset / _options.ShardLength];
        }

        shard.SetLeaf(offset, hash);
    }

    private void Found(long offset)
    {
        lock (_gate)
        {
            _differenceAt = Math.Min(_differenceAt, offset);
        }
    }
}
