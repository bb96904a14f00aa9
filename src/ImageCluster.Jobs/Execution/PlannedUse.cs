using System.Collections.Immutable;
using ImageCluster.Jobs.Images;

namespace ImageCluster.Jobs.Execution;

/// <summary>An image that a job needs, and what for.</summary>
/// <param name="Image">The image.</param>
/// <param name="Purpose">What for.</param>
/// <param name="Via">Overlays of it that the job answers for: see <see cref="TakeUse"/>.</param>
public sealed record PlannedUse(ImageName Image, UsePurpose Purpose, ImmutableList<ImageName> Via);
