using ImageCluster.Imaging.Formats.Filters.Debugging;

namespace ImageCluster.Imaging.Formats.Qcow2;

/// <summary>
/// Hands out room in the image's file and takes it back. A cluster that was published is taken back in two steps, so that a crash never leaves
/// a table that points to a free cluster: <see cref="FreeLater(long, long, bool)"/> notes it, <see cref="FreeNoted"/>, called when no durable table
/// refers to it any more, frees it. For one thread at a time.
/// </summary>
internal class Allocator(Metadata metadata, Refcounts refcounts)
{
    private const int SectorSize = 512;

    private readonly Layout _layout = metadata.Layout;
    private List<Range> _noted = [];

    // Clusters of the external data file that can be given back.
    private ClusterRanges _notedData = new();

    // Where the next compressed cluster starts, behind the last one in the same host cluster; 0 where there is none.
    private long _nextCompressed;

    /// <summary>Bytes noted and not free yet.</summary>
    public long NotedBytes { get; private set; }

    /// <summary>Takes <paramref name="clusters"/> contiguous clusters and returns their host offset in bytes.</summary>
    public virtual long Allocate(long clusters)
    {
        long first = refcounts.Allocate(clusters);
        return first != 0 ? first << _layout.ClusterBits : throw AtHeader("data cluster");
    }

    /// <summary>Takes room for one compressed cluster of <paramref name="length"/> bytes, 1 to the cluster size; behind the last one where it fits. Returns the host offset.</summary>
    public virtual long AllocateCompressed(int length)
    {
        metadata.File.Tell("cluster_alloc_bytes");
        long limit = 1L << (_layout.CompressedSectorsShift - _layout.ClusterBits);
        long offset = _nextCompressed;
        if (offset != 0 && refcounts.Get(offset >> _layout.ClusterBits) == _layout.RefcountMax)
        {
            offset = 0;
        }

        long free = _layout.ClusterSize - _layout.OffsetInCluster(offset);
        while (true)
        {
            if (offset == 0 || free < length)
            {
                long cluster = refcounts.PeekFree(limit);
                long start = cluster << _layout.ClusterBits;
                if (cluster == 0)
                {
                    throw AtHeader("compressed cluster");
                }

                if (offset != 0 && ((offset + _layout.ClusterSize - 1) & -_layout.ClusterSize) == start)
                {
                    free += _layout.ClusterSize;
                }
                else
                {
                    offset = start;
                    free = _layout.ClusterSize;
                }
            }

            long first = offset >> _layout.ClusterBits;
            long last = (offset + length - 1) >> _layout.ClusterBits;
            if (refcounts.TryIncrease(first, last - first + 1))
            {
                break;
            }

            offset = 0;
        }

        _nextCompressed = _layout.IsClusterAligned(offset + length) ? 0 : offset + length;
        return offset;
    }

    /// <summary>Gives back room that no table ever pointed to.</summary>
    public virtual void Release(long offset, long length) => Free(new Range(offset, length, false), null);

    /// <summary>
    /// Notes that one reference to each cluster that the range touches is gone, to be taken off by the next <see cref="FreeNoted"/>.
    /// </summary>
    /// <param name="offset">Host offset, bytes.</param>
    /// <param name="length">Bytes.</param>
    /// <param name="discard">Give the space back to the storage where no reference is left.</param>
    public virtual void FreeLater(long offset, long length, bool discard)
    {
        NotedBytes += length;
        if (_noted.Count > 0 && _noted[^1] is { } last && last.Discard == discard && last.Offset + last.Length == offset && _layout.IsClusterAligned(offset))
        {
            _noted[^1] = last with { Length = last.Length + length };
        }
        else
        {
            _noted.Add(new Range(offset, length, discard));
        }
    }

    /// <summary>As <see cref="FreeLater(long, long, bool)"/>, the room in the image's file that an L2 entry refers to, if any.</summary>
    public void FreeLater(in ClusterEntry entry, bool discard)
    {
        if (entry.IsCompressed)
        {
            long offset = _layout.CompressedOffset(entry.Word) & -SectorSize;
            FreeLater(offset, _layout.CompressedOffset(entry.Word) + _layout.CompressedLength(entry.Word) - offset, discard);
        }
        else if (entry.Host >= 0 && !metadata.HasDataFile)
        {
            FreeLater(entry.Host, _layout.ClusterSize, discard);
        }
    }

    /// <summary>Notes that a cluster of the external data file can be given back to the storage by the next <see cref="FreeNoted"/>.</summary>
    public void DiscardDataLater(long offset)
    {
        NotedBytes += _layout.ClusterSize;
        _notedData.Add(offset >> _layout.ClusterBits, (offset >> _layout.ClusterBits) + 1);
    }

    /// <summary>Clusters of the external data file are to be written, or have been: what was noted of them holds no longer.</summary>
    public void KeepData(long offset, int clusters) => _notedData.Remove(offset >> _layout.ClusterBits, (offset >> _layout.ClusterBits) + clusters);

    /// <summary>Takes the noted references off. Nothing durable may refer to them any more.</summary>
    public void FreeNoted()
    {
        List<Range> noted = _noted;
        _noted = [];
        ClusterRanges notedData = _notedData;
        _notedData = new ClusterRanges();
        NotedBytes = 0;
        List<(long Start, long End)> discards = [];
        foreach (Range range in noted)
        {
            Free(range, discards);
        }

        foreach ((long start, long end) in discards)
        {
            metadata.File.Discard(start, end - start);
        }

        foreach ((long start, long end) in notedData.Ranges)
        {
            metadata.DataFile.Discard(start << _layout.ClusterBits, (end - start) << _layout.ClusterBits);
        }
    }

    private void Free(Range range, List<(long Start, long End)>? discards)
    {
        metadata.File.Tell("cluster_free");
        long last = (range.Offset + range.Length - 1) >> _layout.ClusterBits;
        for (long cluster = range.Offset >> _layout.ClusterBits; cluster <= last; cluster++)
        {
            if (!refcounts.Decrease(cluster))
            {
                continue;
            }

            long start = cluster << _layout.ClusterBits;
            metadata.L2.Forget(start);
            if (_nextCompressed >> _layout.ClusterBits == cluster)
            {
                _nextCompressed = 0;
            }

            // Metadata that is still in use was miscounted: it stays.
            if (!range.Discard || discards is null || refcounts.Overlap.Find(start, _layout.ClusterSize) is not null)
            {
                continue;
            }

            if (discards.Count > 0 && discards[^1].End == start)
            {
                discards[^1] = (discards[^1].Start, start + _layout.ClusterSize);
            }
            else
            {
                discards.Add((start, start + _layout.ClusterSize));
            }
        }
    }

    private ImageException AtHeader(string what) => metadata.Signal($"Preventing invalid allocation of {what} at offset 0");

    private readonly record struct Range(long Offset, long Length, bool Discard);
}
