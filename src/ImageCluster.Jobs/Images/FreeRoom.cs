namespace ImageCluster.Jobs.Images;

/// <summary>Room that was handed out, came back and can be handed out again. Bytes.</summary>
/// <param name="Start">Host offset.</param>
/// <param name="Length">1 or more.</param>
/// <param name="Dirty">It may have been written to.</param>
public sealed record FreeRoom(long Start, long Length, bool Dirty)
{
    public long End => Start + Length;
}
