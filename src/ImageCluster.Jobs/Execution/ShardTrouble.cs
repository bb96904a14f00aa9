namespace ImageCluster.Jobs.Execution;

/// <summary>What went wrong with a shard so far.</summary>
/// <param name="Failures">How often a worker reported that it failed.</param>
/// <param name="Losses">How often its worker was lost.</param>
/// <param name="Reason">The last failure's reason.</param>
public sealed record ShardTrouble(int Failures, int Losses, string Reason);
