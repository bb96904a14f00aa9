namespace ImageCluster.Imaging.Formats.Capabilities;

/// <summary>A layer whose metadata can be checked, and repaired when it is open for writing.</summary>
public interface ICheckable
{
    CheckReport Check(CheckRepair repair);
}

[Flags]
public enum CheckRepair
{
    None = 0,
    Leaks = 1,
    Errors = 2,
    All = Leaks | Errors,
}

/// <summary>What a check found; the fields of QAPI's ImageCheck. Counts are of clusters unless a name says otherwise.</summary>
public sealed class CheckReport
{
    /// <summary>Errors that kept the check from looking at everything.</summary>
    public long CheckErrors { get; set; }

    public long Corruptions { get; set; }

    public long CorruptionsFixed { get; set; }

    public long Leaks { get; set; }

    public long LeaksFixed { get; set; }

    /// <summary>0 where the format does not count clusters.</summary>
    public long TotalClusters { get; set; }

    public long AllocatedClusters { get; set; }

    public long FragmentedClusters { get; set; }

    public long CompressedClusters { get; set; }

    /// <summary>First byte behind everything that is in use; 0 where the format does not say.</summary>
    public long ImageEndOffset { get; set; }

    /// <summary>
    /// Why the check stopped before its end, as the operating system would say it ("Invalid argument"); null where it did not.
    /// qemu-img then prints no counts but <c>Check failed</c> with this.
    /// </summary>
    public string? Failure { get; set; }

    /// <summary>What it stopped at, for which qemu-img speaks in its own name; null where one of the findings says it.</summary>
    public string? FailureCause { get; set; }

    /// <summary>What to do about <see cref="FailureCause"/>; null for nothing.</summary>
    public string? FailureHint { get; set; }

    /// <summary>Findings, a line each, in QEMU's words, in the order found.</summary>
    public List<string> Messages { get; } = [];
}
