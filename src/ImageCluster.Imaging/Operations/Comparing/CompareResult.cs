namespace ImageCluster.Imaging.Operations.Comparing;

public enum CompareVerdict
{
    Identical,

    /// <summary>The guest's bytes differ.</summary>
    ContentDiffers,

    /// <summary>One of the two is longer and holds something there.</summary>
    TailDiffers,

    /// <summary>Strict: allocated in one and not in the other.</summary>
    AllocationDiffers,

    /// <summary>Strict: the sizes differ.</summary>
    SizeDiffers,
}

/// <summary>What a comparison found.</summary>
/// <param name="Verdict">Equal, or what the first difference is.</param>
/// <param name="Offset">Guest offset in bytes of the first difference: that of its 512-byte sector, as qemu-img reports it; 0 where there is none.</param>
/// <param name="SizesDiffer">The sizes differ; in a comparison that is not strict, zeros at the end are no difference.</param>
public readonly record struct CompareResult(CompareVerdict Verdict, long Offset, bool SizesDiffer)
{
    public bool Identical => Verdict == CompareVerdict.Identical;
}
