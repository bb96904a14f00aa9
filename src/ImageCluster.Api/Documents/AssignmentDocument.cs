namespace ImageCluster.Api.Documents;

/// <summary>Shards of a job that a worker has in work.</summary>
/// <param name="Token">Fencing token.</param>
/// <param name="Worker">Its id.</param>
/// <param name="Shards">How many.</param>
/// <param name="StartedAt">When they were given out.</param>
public sealed record AssignmentDocument(long Token, string Worker, long Shards, DateTimeOffset StartedAt);
