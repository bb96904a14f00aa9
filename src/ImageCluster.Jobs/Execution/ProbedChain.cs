using System.Collections.Immutable;

namespace ImageCluster.Jobs.Execution;

/// <summary>An image that a job names, with what it stands on.</summary>
/// <param name="Image">As the job names it, which may be a link.</param>
/// <param name="Layers">Itself first; one at least.</param>
public sealed record ProbedChain(ImageName Image, ImmutableList<ProbedImage> Layers);
