namespace ImageCluster.Api.Documents;

/// <summary>What waits for workers, over all jobs.</summary>
/// <param name="Jobs">Jobs that have something to give out or in work.</param>
/// <param name="Waiting">Shards that could be given out now.</param>
/// <param name="InWork">Shards that workers have.</param>
/// <param name="Workers">Workers that said they are there.</param>
/// <param name="FreeSlots">Over all of them.</param>
public sealed record QueueDocument(int Jobs, long Waiting, long InWork, int Workers, int FreeSlots);
