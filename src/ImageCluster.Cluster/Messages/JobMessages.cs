using System.Collections.Immutable;
using ImageCluster.Jobs;
using ImageCluster.Jobs.Execution;

namespace ImageCluster.Cluster.Messages;

/// <summary>Asks a job's actor what it knows; answered by <see cref="JobDescription"/>, or <see cref="JobRefused"/> where there is no such job.</summary>
public sealed record DescribeJob(string JobId);

/// <summary>A job in full.</summary>
/// <param name="Assignments">What workers have of it.</param>
/// <param name="Troubles">What went wrong with shards of its step, the first hundred, by shard.</param>
/// <param name="Finding">
/// What the shard with the first difference said of it (<see cref="ImageCluster.Jobs.Contracts.FindingsCodec"/>); empty where none was found.
/// </param>
public sealed record JobDescription(string JobId, JobSummary Summary, JobSpec Spec, JobSettings Settings, ImmutableList<JobAssignment> Assignments,
    ImmutableList<JobTrouble> Troubles, string Finding) : JobReply(JobId);

/// <summary>Shards that a worker has in work.</summary>
/// <param name="Shards">How many of them are not done yet.</param>
public sealed record JobAssignment(long Token, string Worker, long Shards, Instant StartedAt);

/// <summary>What went wrong with a shard so far.</summary>
public sealed record JobTrouble(long Shard, ShardTrouble Trouble);

/// <summary>A job to the migration that it belongs to: where it stands, and again until it is answered when it has ended.</summary>
public sealed record ReportJob(string MigrationId, JobSummary Job);
