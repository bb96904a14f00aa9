namespace ImageCluster.Jobs.Images;

/// <summary>Room that was handed out, came back and can be handed out again. Bytes.</summary>
/// <param name="Start">Host offset.</param>
/// <param name="Length">1 or more.</param>
/// <param name="Dirty">It may have been written to.</param>
/// <param name="FreeFrom">Until then a lost attempt may still be writing there; default where there is none.</param>
public sealed record FreeRoom(long Start, long Length, bool Dirty, Instant FreeFrom)
{
    public long End => Start + Length;
}
