namespace ImageCluster.Faults.Networks;

/// <summary>The network that the nodes of one cluster are in: an address for each, and one for what all of them use.</summary>
internal abstract class NodeNetwork : IDisposable
{
    /// <summary>The most nodes that it has room for.</summary>
    public const int Nodes = 8;

    /// <summary>Where this program and the journal's server are.</summary>
    public abstract string Host { get; }

    /// <summary>Of a node, by its number from 1.</summary>
    public abstract string AddressOf(int node);

    /// <summary>What a node's command line begins with to be in its place.</summary>
    public abstract IReadOnlyList<string> Enter(int node);

    /// <summary>From now on none of these two hears the other. Everybody hears <see cref="Host"/>.</summary>
    public abstract void Cut(int node, int other);

    /// <summary>All hear all again.</summary>
    public abstract void Join();

    public abstract void Dispose();
}
