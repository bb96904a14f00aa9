namespace ImageCluster.Conformance.Cases;

internal static class MapCases
{
    // Data, written zeros, holes, zero clusters with and without room behind them, over a base of other cluster size and another length.
    private static readonly string[] Chain =
    [
        "img create -q -f qcow2 -o cluster_size=4k base.qcow2 3M",
        "io qcow2 base.qcow2 'write -P 1 0 20k' 'write -P 2 1M 100k' 'write -z 1536k 64k' 'write -P 3 2M 1M'",
        "img create -q -f qcow2 -b base.qcow2 -F qcow2 top.qcow2 5M",
        "io qcow2 top.qcow2 'write -P 4 64k 64k' 'write -z 1M 64k' 'write -z -u 2M 128k' 'write -P 5 4M 64k' 'write -P 6 512k 64k' 'write -z 512k 64k' 'discard 64k 64k'",
    ];

    public static IReadOnlyList<ConformanceCase> List { get; } =
    [
        Both("holes and data", "raw", ["truncate -s 4M x", "io raw x 'write -P 1 0 64k' 'write -P 2 1M 4k' 'write -P 0 2M 64k'", "truncate -s 700 odd"], "x", "-f raw odd"),
        Both("chain", "qcow2", Chain, "top.qcow2", "base.qcow2", "-U top.qcow2"),
        Both("--start-offset --max-length", "qcow2", Chain, "--start-offset=1M top.qcow2", "-s 1M -l 64k top.qcow2", "--max-length=0 top.qcow2", "-s 1G top.qcow2", "-s 100 -l 1000 top.qcow2", "-s 4M -l 7E top.qcow2"),
        Both("compressed clusters", "qcow2", ["img create -q -f raw a 1M", "io raw a 'write -P 1 0 256k'", "img convert -c -O qcow2 a x"], "x"),
        Both("compat=0.10", "qcow2", ["img create -q -f qcow2 -o compat=0.10 x 4M", "io qcow2 x 'write -P 1 1M 64k'"], "x"),
        Both("extended_l2", "qcow2", ["img create -q -f qcow2 -o extended_l2=on x 4M", "io qcow2 x 'write -P 1 1M 2k' 'write -P 1 2050k 6k' 'write -z 2060k 4k' 'write -P 2 3M 64k' 'discard 3M 32k'"], "x"),
        Both("extended_l2: room behind the backing file's end that is not used", "qcow2",
            ["img create -q -f raw b 1M", "img create -q -f qcow2 -o extended_l2=on,cluster_size=32k -b b -F raw x 4M", "io qcow2 x 'write -P 1 2533888 200k'"], "x"),
        Both("preallocation=metadata", "qcow2", ["img create -q -f qcow2 -o preallocation=metadata x 4M", "io qcow2 x 'write -P 1 1M 64k'"], "x"),
        Both("data_file", "qcow2", ["img create -q -f qcow2 -o data_file=d.raw x 4M", "io qcow2 x 'write -P 1 1M 64k'"], "x"),
        Both("data_file_raw", "qcow2", ["img create -q -f qcow2 -o data_file=d.raw,data_file_raw=on x 4M", "io qcow2 x 'write -P 1 1M 64k'"], "x"),
        .. new[] { "vdi", "vpc", "vhdx", "vmdk", "qed", "qcow", "parallels" }
            .Select(format => Both("data", format, [$"img create -q -f {format} x 10M", $"io {format} x 'write -P 1 1M 64k' 'write -P 2 5M 1M'"], $"-f {format} x")),
        .. new[] { "monolithicFlat", "twoGbMaxExtentSparse", "streamOptimized" }
            .Select(subformat => Both($"subformat={subformat}", "vmdk", [$"img create -q -f raw a 3M", "io raw a 'write -P 1 1M 64k'", $"img convert -O vmdk -o subformat={subformat} a x.vmdk"], "x.vmdk")),
        Both("subformat=fixed", "vpc", ["img create -q -f vpc -o subformat=fixed,force_size=on x 4M", "io vpc x 'write -P 1 1M 64k'"], "-f vpc x"),
        Both("static=on", "vdi", ["img create -q -f vdi -o static=on x 4M", "io vdi x 'write -P 1 1M 64k'"], "x"),
    ];

    private static ConformanceCase Both(string topic, string format, string[] setup, params string[] arguments) => new()
    {
        Command = "map",
        Topic = topic,
        Format = format,
        Setup = setup,
        Steps = [.. arguments.SelectMany(static a => new[] { $"map {a}", $"map --output=json {a}" })],
    };
}
