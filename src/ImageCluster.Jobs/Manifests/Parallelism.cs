namespace ImageCluster.Jobs.Manifests;

/// <summary>How much is done at once on one machine; null where the runner chooses by its cores.</summary>
/// <param name="Images">Images at a time, 1 to 1,024.</param>
/// <param name="Threads">Threads of each, 1 to 256.</param>
public sealed record Parallelism(int? Images = null, int? Threads = null)
{
    public const int MaxImages = 1024;

    public const int MaxThreads = 256;
}
