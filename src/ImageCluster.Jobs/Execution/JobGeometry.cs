namespace ImageCluster.Jobs.Execution;

/// <summary>What probing the images must tell for a job to be planned. Bytes.</summary>
/// <param name="VirtualSize">Of the guest's disk; the larger one of two that are compared.</param>
/// <param name="ShardLength">Of the image that is written to, as its format has it.</param>
/// <param name="ShardsIndependent">False where one worker must write the whole image in order.</param>
public sealed record JobGeometry(long VirtualSize, long ShardLength, bool ShardsIndependent)
{
    /// <summary>
    /// Commit and rebase: shards go into an image that is there and hands out room for them, so it must be made ready first (<see cref="StageKind.Prepare"/>).
    /// </summary>
    public bool TakesRoom { get; init; }
}
