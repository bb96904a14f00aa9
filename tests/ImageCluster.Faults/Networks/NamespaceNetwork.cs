namespace ImageCluster.Faults.Networks;

/// <summary>
/// A network namespace for each node, and one that routes between them and drops what two that are cut off send each other. Nothing of the machine's own
/// network changes but for one interface of this run's. Needs root and iproute2.
/// </summary>
internal sealed class NamespaceNetwork : NodeNetwork
{
    private readonly string _name = $"icf{Environment.ProcessId % 100_000}";
    private readonly string _prefix = $"10.{64 + Environment.ProcessId % 128}";
    private readonly List<(string From, string To)> _cuts = [];

    public NamespaceNetwork()
    {
        Dispose();
        Ip("netns", "add", Hub);
        InHub("link", "set", "lo", "up");
        Shell.Run("ip", "netns", "exec", Hub, "sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward");
        Ip("link", "add", _name, "type", "veth", "peer", "name", "host", "netns", Hub);
        Ip("address", "add", $"{Host}/24", "dev", _name);
        Ip("link", "set", _name, "up");
        InHub("address", "add", $"{_prefix}.200.1/24", "dev", "host");
        InHub("link", "set", "host", "up");
        Ip("route", "add", $"{_prefix}.0.0/16", "via", $"{_prefix}.200.1");
        for (int node = 1; node <= Nodes; node++)
        {
            string space = Space(node);
            Ip("netns", "add", space);
            Ip("link", "add", "eth0", "netns", space, "type", "veth", "peer", "name", $"node{node}", "netns", Hub);
            Ip("-n", space, "address", "add", $"{AddressOf(node)}/24", "dev", "eth0");
            Ip("-n", space, "link", "set", "lo", "up");
            Ip("-n", space, "link", "set", "eth0", "up");
            InHub("address", "add", $"{_prefix}.{node}.1/24", "dev", $"node{node}");
            InHub("link", "set", $"node{node}", "up");
            Ip("-n", space, "route", "add", "default", "via", $"{_prefix}.{node}.1");
        }
    }

    public override string Host => $"{_prefix}.200.2";

    private string Hub => $"{_name}-hub";

    public override string AddressOf(int node) => $"{_prefix}.{node}.2";

    public override IReadOnlyList<string> Enter(int node) => ["ip", "netns", "exec", Space(node)];

    public override void Cut(int node, int other)
    {
        foreach ((int from, int to) in new[] { (node, other), (other, node) })
        {
            (string From, string To) cut = (AddressOf(from), AddressOf(to));
            InHub("rule", "add", "from", cut.From, "to", cut.To, "blackhole");
            _cuts.Add(cut);
        }
    }

    public override void Join()
    {
        foreach ((string from, string to) in _cuts)
        {
            InHub("rule", "del", "from", from, "to", to, "blackhole");
        }

        _cuts.Clear();
    }

    public override void Dispose()
    {
        Shell.Try("ip", "link", "del", _name);
        for (int node = 1; node <= Nodes; node++)
        {
            Shell.Try("ip", "netns", "del", Space(node));
        }

        Shell.Try("ip", "netns", "del", Hub);
    }

    private static void Ip(params string[] words) => Shell.Run("ip", words);

    private void InHub(params string[] words) => Shell.Run("ip", ["-n", Hub, .. words]);

    private string Space(int node) => $"{_name}-{node}";
}
