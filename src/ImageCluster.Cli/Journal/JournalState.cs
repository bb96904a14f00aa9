using System.Collections.Immutable;
using ImageCluster.Jobs.Contracts;
using ImageCluster.Jobs.Execution;
using ImageCluster.Jobs.Images;
using ImageCluster.Jobs.Migrations;

namespace ImageCluster.Cli.Journal;

/// <summary>The states of all records of a journal: the sum of its events. Immutable, so that a batch can be tried and dropped.</summary>
internal sealed record JournalState
{
    private const string RunPrefix = "run:";
    private const string JobPrefix = "job:";
    private const string ImagePrefix = "image:";

    public static JournalState Empty { get; } = new();

    /// <summary>By the run's id.</summary>
    public ImmutableDictionary<string, MigrationState> Runs { get; private init; } = ImmutableDictionary<string, MigrationState>.Empty;

    /// <summary>By the job's id.</summary>
    public ImmutableDictionary<string, JobState> Jobs { get; private init; } = ImmutableDictionary<string, JobState>.Empty;

    /// <summary>Targets, by the text of their names.</summary>
    public ImmutableDictionary<string, ImageState> Images { get; private init; } = ImmutableDictionary<string, ImageState>.Empty;

    public static string RunStream(string id) => RunPrefix + id;

    public static string JobStream(string id) => JobPrefix + id;

    public static string ImageStream(string name) => ImagePrefix + name;

    public MigrationState Run(string id) => Runs.GetValueOrDefault(id, MigrationState.New);

    public JobState Job(string id) => Jobs.GetValueOrDefault(id, JobState.New);

    public ImageState Image(string name) => Images.GetValueOrDefault(name, ImageState.New);

    public JournalState Apply(string run, MigrationEvent e) => this with { Runs = Runs.SetItem(run, MigrationRecord.Apply(Run(run), e)) };

    public JournalState Apply(string job, JobEvent e) => this with { Jobs = Jobs.SetItem(job, JobRecord.Apply(Job(job), e)) };

    public JournalState Apply(string image, ImageEvent e) => this with { Images = Images.SetItem(image, ImageRecord.Apply(Image(image), e)) };

    /// <summary>Applies an event as it was stored.</summary>
    public JournalState Apply(StoredEvent stored)
    {
        string stream = stored.Stream;
        return EventCodec.Decode(stored.Manifest, stored.Payload) switch
        {
            MigrationEvent e when stream.StartsWith(RunPrefix, StringComparison.Ordinal) => Apply(stream[RunPrefix.Length..], e),
            JobEvent e when stream.StartsWith(JobPrefix, StringComparison.Ordinal) => Apply(stream[JobPrefix.Length..], e),
            ImageEvent e when stream.StartsWith(ImagePrefix, StringComparison.Ordinal) => Apply(stream[ImagePrefix.Length..], e),
            _ => throw new InvalidDataException($"event {stored.Manifest} does not belong to stream {stream}"),
        };
    }
}
