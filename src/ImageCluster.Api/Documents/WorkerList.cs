namespace ImageCluster.Api.Documents;

/// <summary>Workers, by id.</summary>
public sealed record WorkerList(IReadOnlyList<WorkerDocument> Items);
