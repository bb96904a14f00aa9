using ImageCluster.Imaging;
using ImageCluster.Jobs.Execution;
using ImageCluster.Work.Roots;

namespace ImageCluster.Work.Running;

/// <summary>Does every step of every job, on the images that this node reaches.</summary>
public sealed class ShardRunner : IShardRunner
{
    private readonly Dictionary<(Type Spec, StageKind Stage), IShardRunner> _runners;

    /// <param name="roots">This node's roots.</param>
    /// <param name="time">For what is dated in images; null for the system's.</param>
    /// <param name="wholeThreads">Threads for what one worker must do whole; 0 for as many as suit this machine.</param>
    public ShardRunner(RootMap roots, TimeProvider? time = null, int wholeThreads = 0)
    {
        var files = new JobFiles(roots);
        int threads = wholeThreads > 0 ? wholeThreads : Math.Clamp(Environment.ProcessorCount, 1, 8);
        var commit = new CommitRunner(files, threads);
        var rebase = new RebaseRunner(files, threads);
        var newImage = new NewImageRunner(files);
        _runners = new Dictionary<(Type, StageKind), IShardRunner>
        {
            [(typeof(ConvertSpec), StageKind.Probe)] = new ConvertProbe(files),
            [(typeof(ConvertSpec), StageKind.Create)] = new CreateRunner(files),
            [(typeof(ConvertSpec), StageKind.Copy)] = new CopyRunner(files, threads),
            [(typeof(ConvertSpec), StageKind.Finish)] = new FinishRunner(files),
            [(typeof(ConvertSpec), StageKind.Verify)] = new VerifyRunner(files),
            [(typeof(ConvertSpec), StageKind.Install)] = new InstallRunner(files),
            [(typeof(ConvertSpec), StageKind.CleanUp)] = new CleanUpRunner(files),
            [(typeof(CompareSpec), StageKind.Probe)] = new CompareProbe(files),
            [(typeof(CompareSpec), StageKind.Compare)] = new CompareRunner(files),
            [(typeof(CommitSpec), StageKind.Probe)] = new CommitProbe(files),
            [(typeof(CommitSpec), StageKind.Prepare)] = commit,
            [(typeof(CommitSpec), StageKind.Merge)] = commit,
            [(typeof(CommitSpec), StageKind.Finish)] = commit,
            [(typeof(CommitSpec), StageKind.Empty)] = commit,
            [(typeof(CommitSpec), StageKind.CleanUp)] = commit,
            [(typeof(RebaseSpec), StageKind.Probe)] = new RebaseProbe(files),
            [(typeof(RebaseSpec), StageKind.Prepare)] = rebase,
            [(typeof(RebaseSpec), StageKind.Merge)] = rebase,
            [(typeof(RebaseSpec), StageKind.Finish)] = rebase,
            [(typeof(RebaseSpec), StageKind.Relink)] = rebase,
            [(typeof(RebaseSpec), StageKind.CleanUp)] = rebase,
            [(typeof(GatherSpec), StageKind.Gather)] = new GatherRunner(roots),
            [(typeof(ChangeSpec), StageKind.Probe)] = new ChangeProbe(files),
            [(typeof(ChangeSpec), StageKind.Create)] = newImage,
            [(typeof(ChangeSpec), StageKind.Install)] = newImage,
            [(typeof(ChangeSpec), StageKind.CleanUp)] = new CleanUpRunner(files),
            [(typeof(ChangeSpec), StageKind.Change)] = new ChangeRunner(files, time ?? TimeProvider.System),
        };
    }

    public ShardResult Run(WorkTask task, long shard, TaskScope scope)
    {
        scope.Cancel.ThrowIfCancellationRequested();
        scope.Lease.Require();
        return _runners.GetValueOrDefault((task.Spec.GetType(), task.Stage))?.Run(task, shard, scope) ??
            throw new ImageException(ImageErrorKind.Unsupported, null, $"This worker does not know the step {task.Stage} of {task.Spec.Operation}");
    }
}
