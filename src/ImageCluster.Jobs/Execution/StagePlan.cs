namespace ImageCluster.Jobs.Execution;

/// <summary>A step of a job and the number of its shards; 1 for a single task.</summary>
public sealed record StagePlan(StageKind Kind, long Shards);
