using ImageCluster.Imaging.Operations;

namespace ImageCluster.Jobs.Execution;

/// <summary>Puts the digests of shards together, and checks what workers say of them.</summary>
internal static class ShardDigests
{
    /// <summary>What is wrong with the hashes of a result, or null: they must cover the shard's range in order and nothing else.</summary>
    public static string? Problem(JobPlan plan, StageKind stage, ShardResult result)
    {
        if (result.Digest.IsEmpty)
        {
            return null;
        }

        if (stage is not (StageKind.Copy or StageKind.Verify))
        {
            return "has a digest, which this step takes none of";
        }

        Range64 range = plan.RangeOf(result.Shard);
        long leaf = range.Start / GuestDigest.LeafLength;
        // Behind the end of the disk all is zeros, so the last part may reach beyond it; an empty disk is one leaf.
        long end = Math.Max(1, GuestDigest.LeafCount(range.End));
        bool endsDisk = range.End == plan.VirtualSize;
        foreach (GuestDigestPart part in result.Digest)
        {
            if (part.Level is < 0 or > GuestDigest.MaxLevel || part.Leaf != leaf || leaf >= end || (leaf & ((1L << part.Level) - 1)) != 0)
            {
                return "has a digest that is not of its range";
            }

            leaf += 1L << part.Level;
        }

        return leaf == end || (leaf > end && endsDisk && result.Digest[^1].Level <= GuestDigest.TopLevel(plan.VirtualSize))
            ? null
            : "has a digest that is not of its range";
    }

    /// <summary>
    /// The digest of the guest's bytes as text: taken while copying, or where none was taken then, while the target was read back; empty where
    /// there is none, or not yet.
    /// </summary>
    public static string Taken(JobState state) =>
        state.End is null && (state.Stage == StageKind.Copy || (state.Stage == StageKind.Verify && state.Digest.Length == 0)) ? Total(state) : state.Digest;

    /// <summary>The digest over the step's shards as text; empty where a shard has none.</summary>
    public static string Total(JobState state)
    {
        if (state.Spec is ConvertSpec { TakesDigest: false })
        {
            return "";
        }

        if (state.Plan is { VirtualSize: 0 })
        {
            // There is nothing to hash.
            return new GuestDigestTree(0).Finish().ToString();
        }

        if (state.Plan is null || state.Completed.Count != state.StageShards || state.Completed.Values.Any(shard => shard.Result.Digest.IsEmpty))
        {
            return "";
        }

        var tree = new GuestDigestTree(state.Plan.VirtualSize);
        foreach (CompletedShard shard in state.Completed.Values)
        {
            tree.Add(shard.Result.Digest);
        }

        return tree.Finish().ToString();
    }

    /// <summary>What verifying has found wrong, or null.</summary>
    public static string? VerifyProblem(JobState state)
    {
        if (state.FirstDifference is { } offset)
        {
            return $"the target differs from its source at offset {offset}";
        }

        string found = Total(state);
        return found.Length > 0 && state.Digest.Length > 0 && found != state.Digest
            ? $"the target reads back with digest {found}, not {state.Digest}"
            : null;
    }
}
