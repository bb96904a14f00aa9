using System.Collections.Immutable;

namespace ImageCluster.Jobs.Execution;

/// <summary>What <see cref="StageKind.Probe"/> found out: what planning a job and taking its images needs.</summary>
public sealed record ProbeFindings
{
    /// <summary>For <see cref="JobPlanner"/>.</summary>
    public required JobGeometry Geometry { get; init; }

    /// <summary>Of the images that the job names and that are there; a target that is still to be made has none.</summary>
    public ImmutableList<ProbedChain> Chains { get; init; } = [];

    /// <summary>Guest bytes that the job will read as data, as far as the metadata shows; 0 where that was not looked at.</summary>
    public long DataBytes { get; init; }

    /// <summary>
    /// What the files look like that the job reads and does not write (a line each), so that a later step finds out that somebody else has written to
    /// one; empty where nothing hangs on that, or the job's target keeps a note of it.
    /// </summary>
    public string Fingerprint { get; init; } = "";

    /// <summary>What in the image a change is about, as it was before (of an internal snapshot: which one); empty where that needs no saying.</summary>
    public string Subject { get; init; } = "";

    /// <summary>For <see cref="JobUses.Of"/>. An image that the job names twice, in two formats perhaps, has the longer of its chains.</summary>
    public IReadOnlyDictionary<ImageName, IReadOnlyList<ImageName>> ChainsByImage => Chains.GroupBy(chain => chain.Image).ToDictionary(
        chains => chains.Key, chains => (IReadOnlyList<ImageName>)[.. chains.MaxBy(chain => chain.Layers.Count)!.Layers.Select(layer => layer.Name)]);
}
