namespace ImageCluster.Jobs.Execution;

/// <summary>A shard that is done, and the assignment that did it.</summary>
public sealed record CompletedShard(long Assignment, ShardResult Result);
