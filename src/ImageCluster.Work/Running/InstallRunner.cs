using ImageCluster.Imaging;
using ImageCluster.Imaging.Chains;
using ImageCluster.Jobs.Execution;
using ImageCluster.Work.Gathering;
using ImageCluster.Work.Native;
using ImageCluster.Work.Targets;

namespace ImageCluster.Work.Running;

/// <summary>Gives a convert's target its name, durably. Stopped on the way and done again it goes on.</summary>
internal sealed class InstallRunner(JobFiles files) : IShardRunner
{
    public ShardResult Run(WorkTask task, long shard, TaskScope scope)
    {
        var spec = (ConvertSpec)task.Spec;
        StagingArea staging = files.Staging(spec.Target, task.JobId);
        if (!staging.Exists)
        {
            RequireInstalled(task, spec, staging);
        }
        else if (File.Exists(staging.MainFile))
        {
            // The last look: what was copied, and read back, is of one moment.
            using OpenedSource source = files.OpenSource(spec, staging);
            files.RequireUnused(spec.Target);
            scope.Cancel.ThrowIfCancellationRequested();
            scope.Lease.Require();
            staging.Publish(spec.Replace);
        }
        else
        {
            scope.Lease.Require();
            staging.Publish(spec.Replace);
            RequireInstalled(task, spec, staging);
        }

        return new ShardResult { Shard = shard };
    }

    // An attempt of which nobody heard has done it, or somebody has removed what was to be installed, and an old target stands there.
    private void RequireInstalled(WorkTask task, ConvertSpec spec, StagingArea staging)
    {
        if (task.FinishedFile.Length > 0 && FileStamp.Of(staging.FinalPath)?.Mark != task.FinishedFile)
        {
            throw Gone(staging);
        }

        using LayeredDisk target = new ChainOpener(files.Roots.Locator).Open(staging.FinalPath, files.ChainOfTarget(spec));
        if (target.VirtualSize != task.Planned.VirtualSize)
        {
            throw Gone(staging);
        }
    }

    private static ImageException Gone(StagingArea staging) => new(ImageErrorKind.NotFound, staging.DirectoryPath, "The finished target of this job is gone");
}
