using System.Collections.Immutable;

namespace ImageCluster.Jobs.Migrations;

/// <summary>A command to the record of one migration.</summary>
/// <param name="MigrationId">The migration.</param>
/// <param name="At">Now.</param>
public abstract record MigrationCommand(string MigrationId, Instant At);

/// <summary>The same migration twice is the same as once; another one by the same id is refused.</summary>
/// <param name="Name">What people call it: the manifest's name.</param>
/// <param name="Manifest">The manifest's text, as it was submitted.</param>
/// <param name="By">Who submitted it.</param>
public sealed record SubmitMigration(string MigrationId, Instant At, string Name, string Manifest, string By)
    : MigrationCommand(MigrationId, At);

/// <summary>Adds images of the plan: a migration of many comes in several commands, in order.</summary>
/// <param name="Images">
/// Numbered on from those that are planned already, each behind its base. Their progress is waiting, skipped or refused.
/// </param>
public sealed record PlanImages(string MigrationId, Instant At, ImmutableList<MigratedImage> Images) : MigrationCommand(MigrationId, At);

/// <summary>The plan is whole; images can be started.</summary>
public sealed record CompletePlan(string MigrationId, Instant At) : MigrationCommand(MigrationId, At);

/// <summary>The migration cannot start.</summary>
/// <param name="Reasons">A line each, one or more.</param>
public sealed record RefusePlan(string MigrationId, Instant At, ImmutableList<string> Reasons) : MigrationCommand(MigrationId, At);

/// <summary>Starts waiting images, lowest number first, so that at most so many run.</summary>
public sealed record StartImages(string MigrationId, Instant At, int MaxRunning) : MigrationCommand(MigrationId, At);

/// <summary>The job of an image is over.</summary>
/// <param name="Attempt">Which start of the image it was.</param>
public sealed record EndImage(string MigrationId, Instant At, int Index, int Attempt, ImageResult Result) : MigrationCommand(MigrationId, At);

/// <summary>Nothing new is started. (The keeper pauses the running jobs.)</summary>
public sealed record PauseMigration(string MigrationId, Instant At, string By) : MigrationCommand(MigrationId, At);

public sealed record ResumeMigration(string MigrationId, Instant At, string By) : MigrationCommand(MigrationId, At);

/// <summary>Nothing new is started, and it ends when the running jobs have. (The keeper cancels them.)</summary>
public sealed record CancelMigration(string MigrationId, Instant At, string By) : MigrationCommand(MigrationId, At);

/// <summary>Images that failed or were cancelled wait again, also where the migration has ended.</summary>
public sealed record RetryImages(string MigrationId, Instant At, string By) : MigrationCommand(MigrationId, At);
