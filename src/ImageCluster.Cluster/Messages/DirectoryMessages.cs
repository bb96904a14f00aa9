using System.Collections.Immutable;
using ImageCluster.Jobs;
using ImageCluster.Jobs.Execution;

namespace ImageCluster.Cluster.Messages;

/// <summary>What jobs and migrations tell the directory, and what it is asked.</summary>
public interface IDirectoryMessage;

/// <summary>
/// A job tells the directory where it stands; answered by <see cref="EntryNoted"/>. The directory stores it when the job belongs to no migration and is
/// new to it or has ended.
/// </summary>
public sealed record NoteJob(JobSummary Job) : IDirectoryMessage;

/// <summary>As <see cref="NoteJob"/>, of a migration.</summary>
public sealed record NoteMigration(MigrationOverview Migration) : IDirectoryMessage;

/// <summary>The directory knows it, and has stored what it must store of it.</summary>
/// <param name="Id">Of the job or migration.</param>
/// <param name="HasEnded">What it was told was the end.</param>
public sealed record EntryNoted(string Id, bool HasEnded);

/// <summary>Which part of a list.</summary>
/// <param name="State">Only those in this state (<see cref="JobSummary.State"/>, <see cref="MigrationOverview.State"/>); "active" for all that have not ended; empty for all.</param>
/// <param name="Offset">So many are passed over.</param>
/// <param name="Limit">At most so many; 1 to 1,000.</param>
public sealed record ListPart(string State, int Offset, int Limit)
{
    public const string Active = "active";

    public const int MaxLimit = 1000;
}

/// <summary>Asks the directory for jobs, newest first; answered by <see cref="JobPage"/>.</summary>
/// <param name="Migration">Only those of this migration; empty for all.</param>
public sealed record ListJobs(ListPart Part, string Migration) : IDirectoryMessage;

/// <summary>Asks the directory for migrations, newest first; answered by <see cref="MigrationPage"/>.</summary>
public sealed record ListMigrations(ListPart Part) : IDirectoryMessage;

/// <summary>Asks the directory for images in use, by name; answered by <see cref="ImagePage"/>.</summary>
/// <param name="Migration">Only those that jobs of this migration use; empty for all.</param>
public sealed record ListImages(ListPart Part, string Migration) : IDirectoryMessage;

/// <param name="Total">How many there are that fit the question.</param>
public sealed record JobPage(ImmutableList<JobSummary> Jobs, int Total);

/// <param name="Total">How many there are that fit the question.</param>
public sealed record MigrationPage(ImmutableList<MigrationOverview> Migrations, int Total);

/// <param name="Total">How many there are that fit the question.</param>
public sealed record ImagePage(ImmutableList<ImageInUse> Images, int Total);

/// <summary>An image that jobs hold, as they said last.</summary>
public sealed record ImageInUse(ImageName Image, ImmutableList<ImageHolder> Holders);

/// <param name="JobId">The job.</param>
/// <param name="Use">What for, and by which lease.</param>
public sealed record ImageHolder(string JobId, JobUse Use);
