namespace ImageCluster.Faults.Networks;

/// <summary>A loopback address for each node, so that every node has the same ports at each start. It cannot be cut.</summary>
internal sealed class LoopbackNetwork : NodeNetwork
{
    // Of its own for each process and run, beside whatever else is on this machine.
    private static int _runs;

    private readonly string _prefix = $"127.{64 + Environment.ProcessId / 250 % 180}.{1 + (Environment.ProcessId + 7 * _runs++) % 250}";

    public override string Host => $"{_prefix}.100";

    public override string AddressOf(int node) => $"{_prefix}.{node}";

    public override IReadOnlyList<string> Enter(int node) => [];

    public override void Cut(int node, int other) => throw new NotSupportedException("Loopback addresses cannot be cut off from each other.");

    public override void Join()
    {
    }

    public override void Dispose()
    {
    }
}
