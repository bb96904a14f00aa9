using ImageCluster.Jobs.Contracts;

namespace ImageCluster.Jobs.Tests;

/// <summary>
/// A record as its keeper has it: a state in memory and a journal of stored bytes. Each decision's events are stored, then applied.
/// </summary>
internal sealed class Journal<TState, TEvent>
    where TState : class
    where TEvent : class
{
    private readonly List<(string Manifest, byte[] Bytes)> _stored = [];
    private readonly TState _initial;
    private readonly Func<TState, TEvent, TState> _apply;
    private (string Manifest, byte[] Bytes, int Events)? _snapshot;

    public Journal(TState initial, Func<TState, TEvent, TState> apply)
    {
        _initial = initial;
        _apply = apply;
        State = initial;
    }

    public TState State { get; private set; }

    /// <summary>Every event so far.</summary>
    public IReadOnlyList<(string Manifest, byte[] Bytes)> Stored => _stored;

    /// <summary>Stores and applies; returns the refusal, or null.</summary>
    public Refusal? Take(Decision<TEvent> decision)
    {
        Assert.True(decision.Refusal is null || decision.Events.Count == 0);
        foreach (TEvent e in decision.Events)
        {
            _stored.Add((EventCodec.ManifestOf((object)e), EventCodec.Encode(e)));
            State = _apply(State, e);
        }

        return decision.Refusal;
    }

    /// <summary>The state is stored whole, in the place of all events before.</summary>
    public void Shorten() => _snapshot = (StateCodec.ManifestOf(State), StateCodec.Encode(State), _stored.Count);

    /// <summary>The keeper is killed: what it had in memory must be what the journal gives, all of it and what is left where it was shortened.</summary>
    public void Crash()
    {
        TState replayed = Replay(_initial, 0);
        Assert.Equal(StateText.Of(State), StateText.Of(replayed));
        if (_snapshot is { } snapshot)
        {
            replayed = Replay((TState)StateCodec.Decode(snapshot.Manifest, snapshot.Bytes), snapshot.Events);
            Assert.Equal(StateText.Of(State), StateText.Of(replayed));
        }

        State = replayed;
    }

    private TState Replay(TState from, int first) =>
        _stored.Skip(first).Aggregate(from, (state, stored) => _apply(state, EventCodec.Decode<TEvent>(stored.Manifest, stored.Bytes)));
}
