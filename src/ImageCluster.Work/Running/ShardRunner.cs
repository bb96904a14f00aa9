using ImageCluster.Imaging;
using ImageCluster.Jobs.Execution;
using ImageCluster.Work.Roots;

namespace ImageCluster.Work.Running;

/// <summary>Does every step of every job, on the images that this node reaches.</summary>
public sealed class ShardRunner : IShardRunner
{
    private readonly CopyRunner _copy;

    /// <param name="roots">This node's roots.</param>
    public ShardRunner(RootMap roots)
    {
        var files = new JobFiles(roots);
        _copy = new CopyRunner(files);
    }

    public ShardResult Run(WorkTask task, long shard, TaskScope scope) => RunnerOf(task).Run(task, shard, scope);

    private CopyRunner RunnerOf(WorkTask task) => (task.Spec, task.Stage) switch
    {
        (ConvertSpec, StageKind.Copy) => _copy,
        _ => throw new ImageException(ImageErrorKind.Unsupported, null, $"This worker does not know the step {task.Stage} of {task.Spec.Operation}"),
    };
}
