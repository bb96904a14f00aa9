using System.Collections.Immutable;

namespace ImageCluster.Jobs.Execution;

/// <summary>What is known of one job: the sum of its events.</summary>
public sealed record JobState
{
    public static JobState New { get; } = new();

    /// <summary>Empty until it is submitted.</summary>
    public string Id { get; init; } = "";

    /// <summary>Null until it is submitted.</summary>
    public JobSpec? Spec { get; init; }

    public JobSettings Settings { get; init; } = JobSettings.Default;

    public Instant SubmittedAt { get; init; }

    /// <summary>The leases that it holds, as noted last.</summary>
    public ImmutableList<JobUse> Uses { get; init; } = [];

    /// <summary>Null until it is planned.</summary>
    public JobPlan? Plan { get; init; }

    /// <summary>The step that it is at, and the step's place in the plan; -1 where the plan does not have it.</summary>
    public StageKind Stage { get; init; }

    public int StageIndex { get; init; } = -1;

    /// <summary>Shards of the step.</summary>
    public long StageShards { get; init; }

    /// <summary>Shards of the step that wait for a worker.</summary>
    public RangeSet Pending { get; init; } = RangeSet.Empty;

    /// <summary>In work, by token.</summary>
    public ImmutableSortedDictionary<long, Assignment> Assignments { get; init; } = ImmutableSortedDictionary<long, Assignment>.Empty;

    /// <summary>The highest token ever given.</summary>
    public long LastAssignment { get; init; }

    /// <summary>Tokens of assignments all of whose shards are done.</summary>
    public RangeSet DoneAssignments { get; init; } = RangeSet.Empty;

    /// <summary>Shards of the step that are done.</summary>
    public ImmutableSortedDictionary<long, CompletedShard> Completed { get; init; } = ImmutableSortedDictionary<long, CompletedShard>.Empty;

    /// <summary>The copied or merged shards, from the end of that step until the target is finished: their manifests are needed for that.</summary>
    public ImmutableSortedDictionary<long, CompletedShard> Copied { get; init; } = ImmutableSortedDictionary<long, CompletedShard>.Empty;

    /// <summary>What the last look at the images found (<see cref="ProbeFindings"/>, as text); empty before there was one.</summary>
    public string Probed { get; init; } = "";

    /// <summary>Where the target has room, as <see cref="StageKind.Create"/> or <see cref="StageKind.Prepare"/> found it (text); empty where that is not known.</summary>
    public string Layout { get; init; } = "";

    /// <summary>By what <see cref="StageKind.Finish"/> left a convert's target to be known; empty before that, and where nobody says so.</summary>
    public string FinishedFile { get; init; } = "";

    /// <summary>What the shard with the first difference said of it (text); empty where none was found.</summary>
    public string Finding { get; init; } = "";

    /// <summary>What went wrong with shards of the step.</summary>
    public ImmutableSortedDictionary<long, ShardTrouble> Troubles { get; init; } = ImmutableSortedDictionary<long, ShardTrouble>.Empty;

    public bool Paused { get; init; }

    /// <summary>Who paused it last; empty for nobody.</summary>
    public string PausedBy { get; init; } = "";

    /// <summary>Set where it will end without success once its workers have stopped, and when it has ended.</summary>
    public JobEnd? End { get; init; }

    public bool HasEnded { get; init; }

    /// <summary>Ended, and its images were given back.</summary>
    public bool IsClosed { get; init; }

    /// <summary>The guest's digest as taken while copying, or else while verifying; empty where there is none.</summary>
    public string Digest { get; init; } = "";

    /// <summary>The lowest guest offset at which the images were found to differ; null where none was found.</summary>
    public long? FirstDifference { get; init; }

    /// <summary>Guest bytes over all steps.</summary>
    public long BytesRead { get; init; }

    public long BytesWritten { get; init; }

    public JobPhase Phase => Spec is null ? JobPhase.None
        : HasEnded ? JobPhase.Ended
        : Stage == StageKind.CleanUp ? JobPhase.CleaningUp
        : End is not null ? JobPhase.Stopping
        : Plan is null ? JobPhase.Planning
        : JobPhase.Working;

    public long ShardsInWork => Assignments.Values.Sum(assignment => assignment.Shards.Count);

    /// <summary>The earliest deadline of an assignment, at which <see cref="ExpireAssignments"/> has something to do; null for none.</summary>
    public Instant? NextDeadline => Assignments.IsEmpty ? null : Assignments.Values.Min(assignment => assignment.Deadline);

    /// <summary>Assignments whose work is of no use any more: their workers should be told to hand them back.</summary>
    public IEnumerable<Assignment> Unneeded => Assignments.Values.Where(assignment =>
        (End is not null && Stage != StageKind.CleanUp) || !assignment.Shards.Overlaps(0, NeededShards));

    /// <summary>Shards from this one on need not be done: a difference was found before them.</summary>
    internal long NeededShards => FirstDifference is { } offset && Plan is { } plan && Stage is StageKind.Compare or StageKind.Verify
        ? Math.Min(StageShards, offset / plan.ShardLength + 1)
        : StageShards;
}
