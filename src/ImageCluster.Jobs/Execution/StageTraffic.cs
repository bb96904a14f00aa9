using System.Collections.Immutable;
using ImageCluster.Jobs.Manifests;

namespace ImageCluster.Jobs.Execution;

/// <summary>
/// What the bytes that a step passes on count for, so that rates mean the same in one process and in a cluster. Copying reads the source and writes the
/// target; comparing a target with its source reads both; a digest is taken of the target alone.
/// </summary>
/// <param name="ReadsSource">They are read from the source (or, of an operation without one, from the images that it is about).</param>
/// <param name="Roots">Roots that they are read from or written to, one as often as both is done there.</param>
public sealed record StageTraffic(bool ReadsSource, ImmutableList<string> Roots)
{
    public static StageTraffic Of(JobSpec spec, StageKind stage) => spec is not ConvertSpec convert ? new StageTraffic(true, [])
        // A target that stands on another image is compared in any case.
        : stage == StageKind.Verify && convert is { Verify: not VerifyMode.Compare, Backing: null } ? new StageTraffic(false, [convert.Target.Root])
        : new StageTraffic(true, [convert.Source.Root, convert.Target.Root]);

    /// <summary>How many bytes of a rate a byte takes; 0 where it has nothing to do with it.</summary>
    public int Times(SharedRate rate) => rate.Root.Length == 0 ? (ReadsSource ? 1 : 0) : Roots.Count(root => root == rate.Root);
}
