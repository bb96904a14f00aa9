using Akka.Actor;

namespace ImageCluster.Cluster.Membership;

/// <summary>
/// Whether the first of the seeds may form a cluster. Pure. A node that was cut off, has ended itself and was started again must not: the others go on
/// without it, and there would be two clusters over one journal. So it needs a majority of the seeds that are in no cluster either.
/// </summary>
/// <param name="others">The seeds but for this node.</param>
/// <param name="silence">A seed that has said nothing for so long counts as one that is not there.</param>
internal sealed class Founding(IReadOnlyList<Address> others, TimeSpan silence)
{
    private readonly Dictionary<Address, (bool IsWaiting, TimeSpan At, long Round)> _heard = others.ToDictionary(address => address, _ => (false, TimeSpan.Zero, -1L));

    /// <summary>Seeds that are to be in no cluster, with this node.</summary>
    public int Needed => (others.Count + 1) / 2 + 1;

    /// <summary>Those that were so in the last round, with this node.</summary>
    public int Waiting(long round) => 1 + _heard.Values.Count(answer => answer.IsWaiting && answer.Round == round);

    /// <param name="isWaiting">It is in no cluster.</param>
    /// <param name="at">Since this node's start.</param>
    /// <param name="round">Of the question.</param>
    public void Hear(Address seed, bool isWaiting, TimeSpan at, long round)
    {
        if (_heard.ContainsKey(seed))
        {
            _heard[seed] = (isWaiting, at, round);
        }
    }

    /// <summary>After the answers to a round's question.</summary>
    public bool MayFound(long round, TimeSpan now) =>
        Waiting(round) >= Needed && _heard.Values.All(answer => (answer.IsWaiting && answer.Round == round) || now - answer.At >= silence);
}
