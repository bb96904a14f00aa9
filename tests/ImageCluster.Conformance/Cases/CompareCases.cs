namespace ImageCluster.Conformance.Cases;

internal static class CompareCases
{
    private static readonly string[] Images =
    [
        "img create -q -f qcow2 a.qcow2 4M",
        "io qcow2 a.qcow2 'write -P 1 1M 64k' 'write -z 2M 64k'",
        "img convert -O raw a.qcow2 a.raw",
        "img convert -O qcow2 -c a.qcow2 c.qcow2",
        "cp a.raw b.raw",
        "io raw b.raw 'write -P 2 1030k 1'",
        "cp a.raw long.raw",
        "truncate -s 5M long.raw",
        "cp long.raw tail.raw",
        "io raw tail.raw 'write -P 3 4500k 512'",
        "img create -q -f qcow2 empty.qcow2 4M",
        "img create -q -f qcow2 zero.qcow2 4M",
        "io qcow2 zero.qcow2 'write -z 0 64k' 'write -P 0 1M 64k'",
        "truncate -s 0 nothing.raw",
        "img create -q -f qcow2 -b a.qcow2 -F qcow2 over.qcow2",
        "io qcow2 over.qcow2 'write -P 1 1M 64k'",
        "img create -q -f qcow2 -b a.qcow2 -F qcow2 other.qcow2",
        "io qcow2 other.qcow2 'write -P 9 3M 4k'",
    ];

    public static IReadOnlyList<ConformanceCase> List { get; } =
    [
        Steps("equal and different", "raw and qcow2", "a.qcow2 a.raw", "a.raw a.qcow2", "a.qcow2 a.qcow2", "a.raw b.raw", "a.qcow2 b.raw", "empty.qcow2 zero.qcow2", "empty.qcow2 a.qcow2", "a.qcow2 empty.qcow2", "a.qcow2 c.qcow2"),
        Steps("sizes that differ", "raw", "a.raw long.raw", "long.raw a.raw", "a.raw tail.raw", "tail.raw a.raw", "b.raw tail.raw", "nothing.raw empty.qcow2", "a.raw nothing.raw", "nothing.raw nothing.raw"),
        Steps("backing files", "qcow2", "a.qcow2 over.qcow2", "over.qcow2 other.qcow2", "-s a.qcow2 over.qcow2"),
        Steps("-s", "raw and qcow2", "-s a.raw long.raw", "-s a.raw a.raw", "-s a.qcow2 a.qcow2", "-s empty.qcow2 zero.qcow2", "-s a.raw b.raw", "-s a.qcow2 c.qcow2", "-s a.qcow2 a.raw", "-s nothing.raw nothing.raw"),
        Steps("-q -p", "raw and qcow2", "-q a.raw b.raw", "-q a.raw a.raw", "-q a.raw long.raw", "-qp a.raw a.raw", "-q -s a.raw long.raw", "-p empty.qcow2 empty.qcow2", "-p nothing.raw nothing.raw"),
        Steps("formats, cache modes, options", "raw and qcow2", "-f raw -F raw a.raw a.qcow2", "-f qcow2 a.raw a.raw", "-F qcow2 a.raw a.raw", "-T none a.raw a.raw", "-T directsync a.raw a.raw", "-T writethrough a.raw a.raw", "-T unsafe a.raw a.raw", "-U a.raw a.raw",
            "--image-opts driver=raw,file.filename=a.raw driver=qcow2,file.filename=a.qcow2", "a.raw nix", "nix a.raw"),
    ];

    private static ConformanceCase Steps(string topic, string format, params string[] arguments) =>
        new() { Command = "compare", Topic = topic, Format = format, Setup = Images, Steps = [.. arguments.Select(static a => $"compare {a}")] };
}
