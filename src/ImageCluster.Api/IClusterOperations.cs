using ImageCluster.Api.Documents;

namespace ImageCluster.Api;

/// <summary>
/// What people and programs can ask of a cluster. A node answers it with its actors, <see cref="Client.ClusterClient"/> by asking a node;
/// the HTTP API and the operator's commands are written against it alone. What is not carried out ends in an
/// <see cref="OperationRefusedException"/>. Whatever changes something is stored when its task has completed, and asking twice is as asking once.
/// </summary>
public interface IClusterOperations
{
    /// <summary>The same submission by the same id again gets the same answer; another one by that id is refused.</summary>
    Task<MigrationDocument> SubmitMigrationAsync(MigrationSubmission submission, CancellationToken cancel = default);

    /// <summary>Newest first.</summary>
    Task<MigrationList> ListMigrationsAsync(ListQuery query, CancellationToken cancel = default);

    /// <summary>With the images that are in work.</summary>
    Task<MigrationDocument> GetMigrationAsync(string id, CancellationToken cancel = default);

    /// <summary>By number.</summary>
    Task<MigrationImageList> ListMigrationImagesAsync(string id, ListQuery query, CancellationToken cancel = default);

    Task<MigrationDocument> ActOnMigrationAsync(string id, ActionKind action, ActionRequest request, CancellationToken cancel = default);

    /// <summary>As for <see cref="SubmitMigrationAsync"/>.</summary>
    Task<JobDocument> SubmitJobAsync(JobSubmission submission, CancellationToken cancel = default);

    /// <summary>Newest first.</summary>
    Task<JobList> ListJobsAsync(ListQuery query, CancellationToken cancel = default);

    Task<JobDocument> GetJobAsync(string id, CancellationToken cancel = default);

    Task<JobDocument> ActOnJobAsync(string id, ActionKind action, ActionRequest request, CancellationToken cancel = default);

    /// <summary>Images that somebody uses, by name.</summary>
    Task<ImageList> ListImagesAsync(ListQuery query, CancellationToken cancel = default);

    /// <param name="name"><c>root:path</c>.</param>
    Task<ImageDocument> GetImageAsync(string name, CancellationToken cancel = default);

    /// <summary>
    /// Takes a lease away that is stuck: it is not renewed any more and ends at its deadline, since its holder may be at work until then.
    /// </summary>
    /// <param name="name"><c>root:path</c>.</param>
    Task<ImageDocument> ReleaseImageAsync(string name, ReleaseRequest request, CancellationToken cancel = default);

    /// <summary>
    /// Forgets an overlay that was deleted, or given another backing file, without the cluster: what it stood on may then be changed again. Nobody looks whether
    /// that is so.
    /// </summary>
    /// <param name="name">What it stood on: <c>root:path</c>.</param>
    Task<ImageDocument> ForgetDependentAsync(string name, ForgetDependentRequest request, CancellationToken cancel = default);

    Task<WorkerList> ListWorkersAsync(CancellationToken cancel = default);

    /// <summary>What waits for workers, over all jobs.</summary>
    Task<QueueDocument> GetQueueAsync(CancellationToken cancel = default);
}
