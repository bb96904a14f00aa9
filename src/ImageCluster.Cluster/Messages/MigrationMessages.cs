using System.Collections.Immutable;
using ImageCluster.Jobs;
using ImageCluster.Jobs.Migrations;

namespace ImageCluster.Cluster.Messages;

/// <summary>
/// Asks a migration's actor what it knows; answered by <see cref="MigrationDescription"/>, or <see cref="MigrationRefused"/> where there is no such
/// migration.
/// </summary>
public sealed record DescribeMigration(string MigrationId);

/// <summary>Asks for images of a migration, by number; answered by <see cref="MigrationImages"/>.</summary>
/// <param name="Progress">Only those that stand there; null for all.</param>
/// <param name="Offset">So many are passed over.</param>
/// <param name="Limit">At most so many; 1 to 1,000.</param>
public sealed record ListMigrationImages(string MigrationId, ImageProgress? Progress, int Offset, int Limit);

/// <summary>What a migration's actor answers. All that led to it is stored by then.</summary>
public abstract record MigrationReply(string MigrationId);

/// <summary>It is as the command asked.</summary>
public sealed record MigrationDone(string MigrationId) : MigrationReply(MigrationId);

/// <summary>The command was not carried out.</summary>
public sealed record MigrationRefused(string MigrationId, Refusal Refusal) : MigrationReply(MigrationId);

/// <summary>A migration with the images that are in work (the first hundred of them).</summary>
public sealed record MigrationDescription(string MigrationId, MigrationOverview Overview, ImmutableList<MigrationImage> Running) : MigrationReply(MigrationId);

/// <param name="Total">How many there are that fit the question.</param>
public sealed record MigrationImages(string MigrationId, ImmutableList<MigrationImage> Images, int Total) : MigrationReply(MigrationId);

/// <summary>One image of a migration.</summary>
/// <param name="Image">What its record says.</param>
/// <param name="JobId">The job of its latest start; empty where it was never started.</param>
/// <param name="Job">Where that job stood when it last said so; null where it is not in work or has not said anything yet.</param>
public sealed record MigrationImage(MigratedImage Image, string JobId, JobSummary? Job);
