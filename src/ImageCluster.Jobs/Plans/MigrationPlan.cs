namespace ImageCluster.Jobs.Plans;

/// <summary>What a migration would do. Sizes in bytes.</summary>
public sealed record MigrationPlan
{
    /// <summary>Every selected image; those to convert in the order to start them (a base before what stands on it).</summary>
    public required IReadOnlyList<PlannedImage> Images { get; init; }

    /// <summary>Empty where the migration can start.</summary>
    public required IReadOnlyList<PlanRefusal> Refusals { get; init; }

    /// <summary>Free space on the target root's file system; null where that is not known.</summary>
    public long? FreeBytes { get; init; }

    public bool CanStart => Refusals.Count == 0;

    public IEnumerable<PlannedImage> ToConvert => Images.Where(image => image.Action == PlanAction.Convert);

    public long TotalVirtualSize => Sum(image => image.VirtualSize);

    public long TotalAllocatedBytes => Sum(image => image.AllocatedBytes);

    public long TotalEstimatedBytes => Sum(image => image.EstimatedBytes);

    // Sizes come from untrusted headers: thousands of them may add up to more than a long takes.
    private long Sum(Func<PlannedImage, long> bytes)
    {
        Int128 sum = 0;
        foreach (PlannedImage image in ToConvert)
        {
            sum += bytes(image);
        }

        return (long)Int128.Min(sum, long.MaxValue);
    }
}
