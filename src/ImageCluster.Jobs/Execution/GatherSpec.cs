using System.Collections.Immutable;

namespace ImageCluster.Jobs.Execution;

/// <summary>
/// Looks for the images that a migration's manifest selects and plans it: who keeps records need not reach any image. One task; what it finds goes to
/// the migration.
/// </summary>
public sealed record GatherSpec : JobSpec
{
    /// <summary>The migration's id.</summary>
    public required string Migration { get; init; }

    /// <summary>The manifest's text.</summary>
    public required string Manifest { get; init; }

    /// <summary>Those that the manifest uses.</summary>
    public required ImmutableSortedSet<string> UsedRoots { get; init; }

    public override IReadOnlyList<ImageName> Images => [];

    public override IEnumerable<string> Roots => UsedRoots;

    public override string Operation => "gather";

    public override bool SameAs(JobSpec other) =>
        other is GatherSpec gather && UsedRoots.SetEquals(gather.UsedRoots) && base.SameAs(gather with { UsedRoots = UsedRoots });
}
