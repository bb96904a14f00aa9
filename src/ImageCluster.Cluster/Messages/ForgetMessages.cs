using ImageCluster.Jobs;

namespace ImageCluster.Cluster.Messages;

/// <summary>
/// Has a job that is over deleted from the journal, where nobody needs it any more; answered by <see cref="JobForgotten"/>, also where there is no such job,
/// or <see cref="JobRefused"/>.
/// </summary>
/// <param name="EndedBefore">It is kept where it ended later, or has not ended.</param>
public sealed record ForgetJob(string JobId, Instant EndedBefore);

/// <summary>Nothing of the job is left but that its id was used.</summary>
public sealed record JobForgotten(string JobId) : JobReply(JobId);

/// <summary>As <see cref="ForgetJob"/>, of a migration with all its jobs; answered by <see cref="MigrationForgotten"/> or <see cref="MigrationRefused"/>.</summary>
public sealed record ForgetMigration(string MigrationId, Instant EndedBefore);

/// <summary>Nothing of the migration and of its jobs is left but that its id was used.</summary>
public sealed record MigrationForgotten(string MigrationId) : MigrationReply(MigrationId);
