using System.Security.Cryptography;
using System.Text;
using ImageCluster.Jobs;

namespace ImageCluster.Cluster.Working;

/// <summary>Where a job's target is and where it is written until it is whole: a hidden directory beside its final place, one for each job.</summary>
internal sealed class TargetPlace
{
    /// <summary>How the directory's name ends; scans leave out what has it.</summary>
    public const string Suffix = ".imagecluster-partial";

    public TargetPlace(RootMap roots, ImageName target, string jobId)
    {
        FinalPath = roots.PathOf(target);
        FinalDirectory = Path.GetDirectoryName(FinalPath)!;
        // Names of files have at most 255 bytes: the job's key says which target it is, the target itself has its full name inside.
        string key = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{jobId}\n{target}")).AsSpan(0, 16));
        StagingDirectory = Path.Join(FinalDirectory, $".{key}{Suffix}");
        StagedFile = Path.Join(StagingDirectory, Path.GetFileName(FinalPath));
    }

    public string FinalPath { get; }

    public string FinalDirectory { get; }

    public string StagingDirectory { get; }

    /// <summary>The image's own file until the target has its name.</summary>
    public string StagedFile { get; }
}
