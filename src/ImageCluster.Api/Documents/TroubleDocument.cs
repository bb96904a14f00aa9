namespace ImageCluster.Api.Documents;

/// <summary>What went wrong with a shard.</summary>
/// <param name="Shard">Its number.</param>
/// <param name="Failures">How often it failed.</param>
/// <param name="Losses">How often its worker was lost.</param>
/// <param name="Reason">The last failure's reason.</param>
public sealed record TroubleDocument(long Shard, int Failures, int Losses, string Reason);
