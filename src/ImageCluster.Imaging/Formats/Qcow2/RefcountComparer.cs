using ImageCluster.Imaging.Formats.BlockTables;
using ImageCluster.Imaging.Formats.Capabilities;

namespace ImageCluster.Imaging.Formats.Qcow2;

/// <summary>Compares the refcounts of an image with the references that were counted, and sets those right that may be.</summary>
internal sealed class RefcountComparer(Metadata metadata, Refcounts refcounts, ReferenceCounter counter, CheckReport report)
{
    private readonly Layout _layout = metadata.Layout;
    private readonly ReferenceCounts _counts = counter.Counts;
    private CheckRepair _repair;
    private long _highest;

    // What was last found by CountLeaks.
    private ulong _leakedBlock;
    private long _leakedLength;
    private long _leaks;
    private int _lastLeak;

    /// <summary>Compares all clusters of the file and returns the highest that is in use by either count.</summary>
    public long Run(CheckRepair repair)
    {
        _repair = repair;
        _highest = 0;
        long clusters = _counts.Clusters;
        long nextUsed = _counts.NextUsed(0, clusters);
        for (long index = 0; index << _layout.RefcountBlockBits < clusters; index++)
        {
            long start = index << _layout.RefcountBlockBits;
            long end = Math.Min(clusters, (index + 1) << _layout.RefcountBlockBits);
            nextUsed = nextUsed < start ? _counts.NextUsed(start, clusters) : nextUsed;

            // Blocks that are not there, for clusters that nothing refers to, are as they should be: however long the file is.
            if (nextUsed >= end && refcounts.NextBlock(index) is var next && next > index)
            {
                index = Math.Max(index, Math.Min(next, nextUsed >> _layout.RefcountBlockBits) - 1);
                continue;
            }

            if (!TryGetBlock(index, end - start, out bool any))
            {
                continue;
            }

            if (any && nextUsed >= end && report.IsFull() && repair == CheckRepair.None)
            {
                CountLeaks(index, start, end);
            }
            else if (any || nextUsed < end)
            {
                CompareBlock(index, start, end);
            }
        }

        return _highest;
    }

    private bool TryGetBlock(long index, long clusters, out bool any)
    {
        any = false;
        try
        {
            any = !refcounts.Block(index).IsEmpty;
            return true;
        }
        catch (ImageException e) when (e.Kind == ImageErrorKind.Corrupt)
        {
            report.Say($"qcow2: Image is corrupt: {e.Message}; further non-fatal corruption events will be suppressed");
            report.CheckErrors += clusters;
            long first = index << _layout.RefcountBlockBits;
            for (long cluster = first; cluster < first + clusters && !report.IsFull(); cluster++)
            {
                report.Say($"Can't get refcount for cluster {cluster}: Input/output error");
            }

            return false;
        }
    }

    // A block none of whose clusters is in use, when no more is listed. The same block may be named very often.
    private void CountLeaks(long index, long start, long end)
    {
        ulong offset = refcounts.Table[(int)index];
        if (offset != _leakedBlock || end - start != _leakedLength)
        {
            ReadOnlySpan<byte> block = refcounts.Block(index);
            (_leakedBlock, _leakedLength, _leaks, _lastLeak) = (offset, end - start, 0, -1);
            int length = (int)(end - start);
            for (int i = RefcountArray.IndexOfNonzero(block, _layout.RefcountOrder, 0, length); i < length;)
            {
                int zero = RefcountArray.IndexOfZero(block, _layout.RefcountOrder, i, length);
                _leaks += zero - i;
                _lastLeak = zero - 1;
                i = RefcountArray.IndexOfNonzero(block, _layout.RefcountOrder, zero, length);
            }
        }

        report.Leaks += _leaks;
        _highest = _lastLeak < 0 ? _highest : start + _lastLeak;
    }

    private void CompareBlock(long index, long start, long end)
    {
        long at = start;
        while (at < end)
        {
            // Up to the next cluster that was found in use, the block should hold nothing but zeros.
            long used = _counts.NextUsed(at, end);
            ReadOnlySpan<byte> block = refcounts.Block(index);
            if (!block.IsEmpty)
            {
                at = RefcountArray.IndexOfNonzero(block, _layout.RefcountOrder, (int)(at - start), (int)(used - start)) + start;
                if (at < used)
                {
                    Compare(at, RefcountArray.Get(block, _layout.RefcountOrder, (int)(at - start)), 0);
                    at++;
                    continue;
                }
            }

            if (used == end)
            {
                return;
            }

            Compare(used, block.IsEmpty ? 0 : RefcountArray.Get(block, _layout.RefcountOrder, (int)(used - start)), _counts[used]);
            at = used + 1;
        }
    }

    private void Compare(long cluster, ulong refcount, ulong references)
    {
        _highest = cluster;
        if (refcount == references)
        {
            return;
        }

        bool leak = refcount > references;
        bool mend = refcount != 0 && (_repair & (leak ? CheckRepair.Leaks : CheckRepair.Errors)) != 0;
        report.Say($"{(mend ? "Repairing" : leak ? "Leaked" : "ERROR")} cluster {cluster} refcount={refcount} reference={references}");

        if (refcount == 0)
        {
            counter.NeedsRebuild = true;
        }

        if (mend)
        {
            refcounts.Set(cluster, references);
            if (references == 0)
            {
                metadata.File.Discard(cluster << _layout.ClusterBits, _layout.ClusterSize);
            }
        }

        if (leak)
        {
            (report.Leaks, report.LeaksFixed) = mend ? (report.Leaks, report.LeaksFixed + 1) : (report.Leaks + 1, report.LeaksFixed);
        }
        else
        {
            (report.Corruptions, report.CorruptionsFixed) = mend
                ? (report.Corruptions, report.CorruptionsFixed + 1)
                : (report.Corruptions + 1, report.CorruptionsFixed);
        }
    }
}
