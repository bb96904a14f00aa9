using ImageCluster.Jobs;
using ImageCluster.Jobs.Contracts;
using ImageCluster.Jobs.Execution;
using ImageCluster.Jobs.Images;
using ImageCluster.Jobs.Migrations;

namespace ImageCluster.Cli.Journal;

/// <summary>
/// Commands to several records that become one transaction. Each is decided on the state that the ones before it lead to; nothing counts until
/// the journal has stored all of it.
/// </summary>
internal sealed class JournalBatch(JournalState state, Instant now)
{
    private readonly List<StoredEvent> _events = [];
    private readonly Dictionary<string, string> _notes = new(StringComparer.Ordinal);

    /// <summary>The state with what was decided so far.</summary>
    public JournalState State { get; private set; } = state;

    /// <summary>The time that commands of this batch carry.</summary>
    public Instant Now { get; } = now;

    public IReadOnlyList<StoredEvent> Events => _events;

    public IReadOnlyDictionary<string, string> Notes => _notes;

    /// <exception cref="JournalRefusedException">The record refuses.</exception>
    public MigrationState Do(MigrationCommand command)
    {
        foreach (MigrationEvent e in Accepted(MigrationRecord.Decide(State.Run(command.MigrationId), command)))
        {
            State = State.Apply(command.MigrationId, e);
            Add(JournalState.RunStream(command.MigrationId), e);
        }

        return State.Run(command.MigrationId);
    }

    /// <inheritdoc cref="Do(MigrationCommand)"/>
    public JobState Do(JobCommand command)
    {
        foreach (JobEvent e in Accepted(JobRecord.Decide(State.Job(command.JobId), command)))
        {
            State = State.Apply(command.JobId, e);
            Add(JournalState.JobStream(command.JobId), e);
        }

        return State.Job(command.JobId);
    }

    /// <inheritdoc cref="Do(MigrationCommand)"/>
    public ImageState Do(ImageCommand command)
    {
        string name = command.Image.ToString();
        foreach (ImageEvent e in Accepted(ImageRecord.Decide(State.Image(name), command)))
        {
            State = State.Apply(name, e);
            Add(JournalState.ImageStream(name), e);
        }

        return State.Image(name);
    }

    /// <summary>Remembers something about this machine's files with the events.</summary>
    public void Note(string key, string value) => _notes[key] = value;

    private static IReadOnlyList<TEvent> Accepted<TEvent>(Decision<TEvent> decision) =>
        decision.Refusal is { } refusal ? throw new JournalRefusedException(refusal) : decision.Events;

    private void Add(string stream, object e) => _events.Add(new StoredEvent(stream, EventCodec.ManifestOf(e), EventCodec.Encode(e)));
}

/// <summary>A record refused a command of the local runner, which knows the records' rules: a defect, or a journal that somebody else wrote to.</summary>
internal sealed class JournalRefusedException(Refusal refusal) : Exception(refusal.Message)
{
    public Refusal Refusal { get; } = refusal;
}
