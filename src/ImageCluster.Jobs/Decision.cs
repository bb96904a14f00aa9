namespace ImageCluster.Jobs;

/// <summary>
/// What a record answers to a command: events to store and then to apply, in order, or a refusal. No events and no refusal
/// means that what was asked for is so already.
/// </summary>
public sealed class Decision<TEvent>
{
    public Decision(IReadOnlyList<TEvent> events) => Events = events;

    public Decision(Refusal refusal)
    {
        Events = [];
        Refusal = refusal;
    }

    /// <summary>Empty where the command is refused or changes nothing.</summary>
    public IReadOnlyList<TEvent> Events { get; }

    public Refusal? Refusal { get; }
}
