using System.Collections.Immutable;
using ImageCluster.Jobs.Migrations;

namespace ImageCluster.Work.Gathering;

/// <summary>A part of what gathering a migration's images has found; told in order.</summary>
/// <param name="From">How many images came in earlier parts.</param>
/// <param name="Images">Numbered on from there, each behind its base; at most <see cref="MaxImages"/>.</param>
/// <param name="IsLast">Nothing comes behind it.</param>
/// <param name="Refusals">In the last part: why the migration must not start, a line each; empty where it can.</param>
public sealed record GatheredPart(int From, ImmutableList<MigratedImage> Images, bool IsLast, ImmutableList<string> Refusals)
{
    public const int MaxImages = 200;
}
