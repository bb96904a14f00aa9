using Akka.Actor;

namespace ImageCluster.Cluster.Membership;

/// <summary>What a node that is in no cluster yet waits for, in one line for its operator. Pure.</summary>
internal static class EntryReport
{
    /// <param name="seeds">All, in their order.</param>
    /// <param name="self">This node's address.</param>
    /// <param name="waiting">Whether a seed that has answered just now is in no cluster either.</param>
    public static string Of(IReadOnlyList<Address> seeds, Address self, IReadOnlyDictionary<Address, bool> waiting)
    {
        Address[] distinct = [.. seeds.Distinct()];
        if (distinct.FirstOrDefault(seed => waiting.TryGetValue(seed, out bool waits) && !waits) is { } member)
        {
            return $"{Name(member)} is in a cluster and has not let this node in yet: it lets nobody in while it has lost sight of one of its members";
        }

        int needed = distinct.Length / 2 + 1;
        int answering = distinct.Count(seed => seed == self || waiting.ContainsKey(seed));
        Address[] silent = [.. distinct.Where(seed => seed != self && !waiting.ContainsKey(seed))];
        string rest = silent.Length == 0 ? "" : $"; no answer from {string.Join(", ", silent.Select(Name))}: start what is not running, or look whether this node reaches it";
        return $"There is no cluster to join yet. {(distinct[0] == self ? "This node" : Name(distinct[0]))}, the first of cluster.seeds, forms it when {needed} of the {distinct.Length} seeds " +
            $"wait for it; so far: {answering}{rest}";
    }

    private static string Name(Address address) => $"{address.Host}:{address.Port}";
}
