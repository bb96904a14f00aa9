namespace ImageCluster.Jobs.Manifests;

/// <summary>What the migration may take of one root at once, to spare a storage that others use too.</summary>
/// <param name="Shards">Shards (on one machine: threads) that read from or write to the root at a time, 1 or more; null for no limit.</param>
/// <param name="Rate">Read and written together; null for no limit.</param>
public sealed record RootLimit(int? Shards = null, ByteRate? Rate = null);
