using ImageCluster.Imaging.Formats.BlockTables;
using ImageCluster.Imaging.Formats.Capabilities;

namespace ImageCluster.Imaging.Formats.Qcow2;

/// <summary>
/// Checks a qcow2 image, and repairs it where asked to: the same findings, counts and words as <c>qemu-img check</c>. Nobody else may use the
/// image meanwhile; afterwards everything that was read of its metadata is out of date where something was repaired.
/// </summary>
internal sealed class Checker
{
    private readonly Metadata _metadata;
    private readonly CheckRepair _repair;
    private readonly CheckReport _report = new();
    private readonly SnapshotTableCheck _snapshots;

    private Checker(Metadata metadata, CheckRepair repair)
    {
        _metadata = metadata;
        _repair = repair;
        _snapshots = new SnapshotTableCheck(metadata, _report, repair);
    }

    /// <param name="metadata">The image; its file is open for writing where there is something to repair.</param>
    /// <param name="repair">What to repair.</param>
    public static CheckReport Run(Metadata metadata, CheckRepair repair) => new Checker(metadata, repair).Run();

    private CheckReport Run()
    {
        if (!_snapshots.Read())
        {
            return _report;
        }

        (long corruptions, long corruptionsFixed, long errors) = (_report.Corruptions, _report.CorruptionsFixed, _report.CheckErrors);
        (_report.Corruptions, _report.CorruptionsFixed, _report.CheckErrors) = (0, 0, 0);
        Refcounts refcounts = new(_metadata);
        bool done = CheckRefcounts(ref refcounts);
        _report.Corruptions += corruptions;
        _report.CorruptionsFixed += corruptionsFixed;
        _report.CheckErrors += errors;
        if (!done)
        {
            return _report;
        }

        _snapshots.Mend(refcounts);
        if (_repair != CheckRepair.None)
        {
            DropUnknownAutoclear();
            refcounts.Write();
            _metadata.File.Flush();
            if (_report.CheckErrors == 0 && _report.Corruptions == 0)
            {
                MarkSound();
            }
        }

        return _report;
    }

    // Who changes an image keeps no promise of a feature that it does not know.
    private void DropUnknownAutoclear()
    {
        AutoclearFeatures known = _metadata.Header.Autoclear & AutoclearFeatures.Known;
        if (known != _metadata.Header.Autoclear)
        {
            HeaderPatch.WriteAutoclear(_metadata.File, known);
            _metadata.Header = _metadata.Header with { Autoclear = known };
        }
    }

    private bool CheckRefcounts(ref Refcounts refcounts)
    {
        ReferenceCounter counter = new(_metadata, refcounts, _snapshots.Snapshots, _report, _repair) { SnapshotTableLength = _snapshots.Length };
        if (counter.Counts.Clusters > int.MaxValue)
        {
            _report.CheckErrors++;
            _report.Failure = "File too large";
            return false;
        }

        _report.TotalClusters = counter.ClustersOf(_metadata.Header.VirtualSize);
        if (!counter.Run())
        {
            return false;
        }

        Tally before = Tally.Of(_report);
        long highest = new RefcountComparer(_metadata, refcounts, counter, _report).Run(CheckRepair.None);
        if (counter.NeedsRebuild && (_repair & CheckRepair.Errors) != 0)
        {
            if (!Rebuild(ref refcounts, counter, ref highest))
            {
                return false;
            }
        }
        else if (_repair != CheckRepair.None)
        {
            if (counter.NeedsRebuild)
            {
                _report.Say("ERROR need to rebuild refcount structures");
                _report.CheckErrors++;
                _report.Failure = "Input/output error";
                return false;
            }

            if (_report.Leaks > 0 || _report.Corruptions > 0)
            {
                before.Restore(_report);
                highest = new RefcountComparer(_metadata, refcounts, counter, _report).Run(_repair);
                refcounts.Write();
                _metadata.File.Flush();
            }
        }

        if (!new CopiedFlagCheck(_metadata, refcounts, counter, _report, _repair).Run())
        {
            return false;
        }

        _report.ImageEndOffset = (highest + 1) << _metadata.Layout.ClusterBits;
        return true;
    }

    private bool Rebuild(ref Refcounts refcounts, ReferenceCounter counter, ref long highest)
    {
        Tally old = Tally.Of(_report);
        _report.Say("Rebuilding refcount structure");
        new RefcountRebuilder(_metadata, counter.Counts).Run();
        refcounts = new Refcounts(_metadata);
        (_report.Corruptions, _report.Leaks) = (0, 0);

        // Count anew: the old structures are not in use any more, the new ones are.
        ReferenceCounter again = new(_metadata, refcounts, _snapshots.Snapshots, _report, CheckRepair.None) { SnapshotTableLength = _snapshots.Length };
        again.ClearAllocationCounts();
        if (!again.Run())
        {
            return false;
        }

        counter.Census = again.Census;
        long freshLeaks = 0;
        if ((_repair & CheckRepair.Leaks) != 0)
        {
            Tally counted = Tally.Of(_report);
            new Tally().Restore(_report);
            highest = new RefcountComparer(_metadata, refcounts, again, _report).Run(CheckRepair.Leaks);
            if (again.NeedsRebuild)
            {
                _report.Say("ERROR rebuilt refcount structure is still broken");
            }

            freshLeaks = _report.Leaks;
            counted.Restore(_report);
            refcounts.Write();
            _metadata.File.Flush();
        }

        _report.CorruptionsFixed += Math.Max(0, old.Corruptions - _report.Corruptions);
        _report.LeaksFixed += Math.Max(0, old.Leaks - _report.Leaks);
        _report.Leaks += freshLeaks;
        return true;
    }

    // Clears the dirty and the corrupt bit.
    private void MarkSound()
    {
        Header header = _metadata.Header;
        IncompatibleFeatures features = header.Incompatible & ~(IncompatibleFeatures.Dirty | IncompatibleFeatures.Corrupt);
        if (features != header.Incompatible)
        {
            HeaderPatch.WriteIncompatible(_metadata.File, features);
            _metadata.File.Flush();
            _metadata.Header = header with { Incompatible = features };
        }
    }

    // The counts of findings at some point of the check.
    private readonly record struct Tally(long CheckErrors, long Corruptions, long CorruptionsFixed, long Leaks, long LeaksFixed)
    {
        public static Tally Of(CheckReport report) =>
            new(report.CheckErrors, report.Corruptions, report.CorruptionsFixed, report.Leaks, report.LeaksFixed);

        public void Restore(CheckReport report)
        {
            report.CheckErrors = CheckErrors;
            report.Corruptions = Corruptions;
            report.CorruptionsFixed = CorruptionsFixed;
            report.Leaks = Leaks;
            report.LeaksFixed = LeaksFixed;
        }
    }
}
