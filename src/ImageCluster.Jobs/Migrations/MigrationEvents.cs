using System.Collections.Immutable;

namespace ImageCluster.Jobs.Migrations;

/// <summary>Something that happened to a migration. Stored by the event codec; never changed once it is.</summary>
public abstract record MigrationEvent;

public sealed record MigrationSubmitted(string MigrationId, string Name, string Manifest, string By, Instant At) : MigrationEvent;

public sealed record ImagesPlanned(ImmutableList<MigratedImage> Images) : MigrationEvent;

public sealed record PlanCompleted(Instant At) : MigrationEvent;

public sealed record PlanRefused(ImmutableList<string> Reasons, Instant At) : MigrationEvent;

public sealed record ImagesStarted(RangeSet Images, Instant At) : MigrationEvent;

public sealed record ImageEnded(int Index, ImageResult Result, Instant At) : MigrationEvent;

public sealed record MigrationPaused(string By, Instant At) : MigrationEvent;

public sealed record MigrationResumed(string By, Instant At) : MigrationEvent;

public sealed record MigrationCancelled(string By, Instant At) : MigrationEvent;

public sealed record ImagesRetried(RangeSet Images, string By, Instant At) : MigrationEvent;

/// <summary>Every image is over. How follows from the images.</summary>
public sealed record MigrationEnded(Instant At) : MigrationEvent;
