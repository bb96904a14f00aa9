using ImageCluster.Jobs;
using ImageCluster.Jobs.Execution;

namespace ImageCluster.Work.Gathering;

/// <summary>What earlier runs of a migration have done, so that it is not done again.</summary>
public interface IEarlierRuns
{
    /// <summary>The last job of a source; null where there is none.</summary>
    JobState? LatestJob(ImageName source);

    /// <summary>What the job's source looked like when it began (<see cref="SourceWatch.Fingerprint"/>); null where that is not known.</summary>
    string? SourceFingerprint(string jobId);

    /// <summary>Which file the job was about to install (<see cref="Native.FileStamp.Identity"/>); null where it was not.</summary>
    string? TargetIdentity(string jobId);
}
