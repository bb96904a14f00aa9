namespace ImageCluster.Jobs.Images;

/// <summary>How a whole-image change ended. The numbers are stored.</summary>
public enum ChangeOutcome
{
    Succeeded = 1,

    Failed = 2,

    /// <summary>Its holder was lost or gave the lease back without a word: the image should be checked.</summary>
    Interrupted = 3,
}
