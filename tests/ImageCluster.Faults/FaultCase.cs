namespace ImageCluster.Faults;

/// <summary>One thing that goes wrong.</summary>
/// <param name="Name">As the command line takes it.</param>
/// <param name="Needs">A program that it needs, or "root"; null for none.</param>
/// <param name="Run">Makes it go wrong in a fresh cluster and waits until all is over. Says what it did, in a few words, or nothing.</param>
internal sealed record FaultCase(string Name, string? Needs, Func<FaultCluster, Random, Task> Run)
{
    /// <summary>Nodes are in networks that can be cut.</summary>
    public bool CutsNetworks { get; init; }
}
