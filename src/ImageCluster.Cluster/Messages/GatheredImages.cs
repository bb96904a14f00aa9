using System.Collections.Immutable;
using ImageCluster.Jobs.Migrations;

namespace ImageCluster.Cluster.Messages;

/// <summary>
/// A worker that looks for a migration's images (<see cref="ImageCluster.Jobs.Execution.StageKind.Gather"/>) tells its job what it found, in order and in
/// parts of at most <see cref="MaxImages"/>. The job passes it on to the migration, which answers the worker by a <see cref="MigrationReply"/>; a part
/// may come twice. The whole plan is stored at once, with its last part. The worker completes its shard when the last part is answered.
/// </summary>
/// <param name="JobId">The job.</param>
/// <param name="MigrationId">The migration.</param>
/// <param name="Assignment">The worker's.</param>
/// <param name="From">How many images came in earlier parts.</param>
/// <param name="Images">Numbered on from there, each behind its base.</param>
/// <param name="IsLast">Nothing comes behind it.</param>
/// <param name="Refusals">In the last part: why the migration must not start, a line each; empty where it can.</param>
public sealed record GatheredImages(string JobId, string MigrationId, long Assignment, int From, ImmutableList<MigratedImage> Images, bool IsLast,
    ImmutableList<string> Refusals)
{
    public const int MaxImages = 200;
}
