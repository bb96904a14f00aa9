using ImageCluster.Jobs.Images;

namespace ImageCluster.Jobs.Execution;

/// <summary>
/// Which images a job uses and which it modifies: a convert uses its source and the source's whole chain and modifies its target; a
/// comparison uses both chains; a commit modifies base and top and uses what lies between and below; a rebase modifies its image and uses the
/// chain that it has and the one that it gets; a change of a whole image modifies that and reads what a new one is to stand on.
/// </summary>
public static class JobUses
{
    /// <summary>The uses in the order to take them, base first (<see cref="LockOrder"/>).</summary>
    /// <param name="spec">The job.</param>
    /// <param name="chains">
    /// For each image that the job names and that is there: its whole chain, itself first. A target that is still to be made has none.
    /// </param>
    /// <param name="problem">Why the job cannot be done at all, in one line; null where it can.</param>
    public static IReadOnlyList<PlannedUse> Of(
        JobSpec spec, IReadOnlyDictionary<ImageName, IReadOnlyList<ImageName>> chains, out string? problem)
    {
        IReadOnlyList<ImageName> Chain(ImageName image) => chains.GetValueOrDefault(image) ?? [image];
        var uses = new Uses();
        switch (spec)
        {
            case ConvertSpec convert:
                uses.Read(Chain(convert.Source));
                // The target stands above its backing file, and comes behind it.
                IReadOnlyList<ImageName> backing = convert.Backing is null ? [] : Chain(convert.Backing);
                uses.Read(backing);
                uses.Modify([convert.Target, .. backing], convert.Target, UsePurpose.Fill);
                break;
            case CompareSpec compare:
                uses.Read(Chain(compare.First));
                uses.Read(Chain(compare.Second));
                break;
            case CommitSpec commit:
                uses.Commit(commit, Chain(commit.Top));
                break;
            case ChangeSpec change:
                IReadOnlyList<ImageName> below = change.Backing is null ? [] : Chain(change.Backing);
                uses.Read(below);
                uses.Modify([.. change.Backing is null ? Chain(change.Image) : [change.Image, .. below]], change.Image, change.Change);
                break;
            case RebaseSpec rebase:
                uses.Rebase(rebase, Chain(rebase.Image), rebase.Backing is null ? [] : Chain(rebase.Backing));
                break;
        }

        return uses.InOrder(out problem);
    }

    /// <summary>Collects the uses of one job.</summary>
    private sealed class Uses
    {
        private readonly List<IReadOnlyList<ImageName>> _chains = [];
        private readonly Dictionary<ImageName, PlannedUse> _uses = [];
        private string? _problem;

        public void Read(IReadOnlyList<ImageName> chain)
        {
            _chains.Add(chain);
            foreach (ImageName image in chain)
            {
                Add(new PlannedUse(image, UsePurpose.Read, []));
            }
        }

        public void Modify(IReadOnlyList<ImageName> chain, ImageName image, UsePurpose purpose, params IEnumerable<ImageName> via)
        {
            _chains.Add(chain);
            Add(new PlannedUse(image, purpose, [.. via]));
        }

        public void Commit(CommitSpec commit, IReadOnlyList<ImageName> chain)
        {
            int into = commit.Base is null ? 1 : chain.ToList().IndexOf(commit.Base);
            if (into < 1 || into >= chain.Count)
            {
                _problem ??= commit.Base is null ? $"{commit.Top} has no backing file" : $"{commit.Base} is not below {commit.Top}";
                return;
            }

            Read([.. chain.Skip(into + 1)]);
            for (int i = 1; i < into; i++)
            {
                // What lies below it changes: others must not stand on it either.
                Add(new PlannedUse(chain[i], UsePurpose.Read, [.. chain.Take(i)]));
            }

            Modify(chain, chain[into], UsePurpose.Commit, chain.Take(into));
            Modify(chain, chain[0], commit.EmptiesTop ? UsePurpose.Empty : UsePurpose.Read);
        }

        public void Rebase(RebaseSpec rebase, IReadOnlyList<ImageName> chain, IReadOnlyList<ImageName> backing)
        {
            if (backing.Contains(rebase.Image))
            {
                _problem ??= $"{rebase.Backing} stands on {rebase.Image}";
                return;
            }

            // What is only renamed need not even be there.
            if (!rebase.Unsafe)
            {
                Read([.. chain.Skip(1)]);
                Read(backing);
            }

            Modify(chain, rebase.Image, rebase.Unsafe ? UsePurpose.Relink : UsePurpose.Rebase);
            _chains.Add([rebase.Image, .. backing]);
        }

        public IReadOnlyList<PlannedUse> InOrder(out string? problem)
        {
            problem = _problem;
            return problem is null ? [.. LockOrder.Of(_chains).Where(_uses.ContainsKey).Select(image => _uses[image])] : [];
        }

        private void Add(PlannedUse use)
        {
            if (_uses.TryGetValue(use.Image, out PlannedUse? other) && other.Purpose != use.Purpose)
            {
                UsePurpose modifies = UseRule.IsExclusive(use.Purpose) ? use.Purpose : other.Purpose;
                _problem ??= $"{use.Image} would be {UseRule.Describe(modifies)} and used for something else by the same job";
            }

            _uses[use.Image] = use;
        }
    }
}
