namespace ImageCluster.Jobs;

/// <summary>What sort of reason a <see cref="Refusal"/> has. The numbers are stored and sent: they never change.</summary>
public enum RefusalKind
{
    /// <summary>Somebody else uses or modifies the image; trying again later can succeed.</summary>
    InUse = 1,

    /// <summary>The token or assignment is not, or no longer, one that counts: the holder has lost it and must stop.</summary>
    Stale = 2,

    /// <summary>Not in this state, and never by waiting.</summary>
    Conflict = 3,

    /// <summary>The command contradicts itself or the state (a shard that is not there, room that was not granted).</summary>
    Invalid = 4,

    /// <summary>Other known overlays depend on the image.</summary>
    HasDependents = 5,

    /// <summary>Writers may still be at work; trying again after their leases have run out can succeed.</summary>
    NotQuiet = 6,

    /// <summary>Paused: nothing new is started.</summary>
    Paused = 7,

    /// <summary>There is nothing to hand out now.</summary>
    NothingToDo = 8,

    /// <summary>No such job, migration or lease.</summary>
    Unknown = 9,
}
