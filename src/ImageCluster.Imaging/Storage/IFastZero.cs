namespace ImageCluster.Imaging.Storage;

/// <summary>Storage of a fixed size that can say whether zeroing is quicker than writing zeros.</summary>
public interface IFastZero
{
    /// <summary>Makes the range read as zeros; false, and nothing done, where that would take as long as writing them.</summary>
    bool TryZeroFast(long offset, long length);
}
