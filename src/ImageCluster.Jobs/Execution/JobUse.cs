using ImageCluster.Jobs.Images;

namespace ImageCluster.Jobs.Execution;

/// <summary>An image that a job holds, by the lease of that token.</summary>
public sealed record JobUse(ImageName Image, UsePurpose Purpose, long Token);
