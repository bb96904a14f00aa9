namespace ImageCluster.Jobs.Images;

/// <summary>Room in a target file that one assignment of shards may write to. Bytes.</summary>
/// <param name="Request">The number that the asker gave to its request, so that asking again gives the same room.</param>
/// <param name="Start">Host offset.</param>
/// <param name="Length">1 or more.</param>
/// <param name="Dirty">
/// Somebody may have written there before: whoever gets it makes it read as zeros first, because what a format leaves unwritten in a
/// cluster must be zeros.
/// </param>
public sealed record RoomGrant(int Request, long Start, long Length, bool Dirty)
{
    public long End => Start + Length;
}
