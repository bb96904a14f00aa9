namespace ImageCluster.Conformance.Cases;

internal static class CheckCases
{
    public static IReadOnlyList<ConformanceCase> List { get; } =
    [
        Both("no check", "raw", ["truncate -s 1M x"], "x", "-q x", "-r all x"),
        Both("clean", "qcow2", ["img create -q -f qcow2 x 8M", "io qcow2 x 'write 0 1M' 'write 4M 64k' 'write 2M 64k'"], "x", "-q x", "-f qcow2 x", "-r leaks x", "-r all x", "-U x", "-T none x", "-U -r all x", "-f raw x"),
        Both("empty", "qcow2", ["img create -q -f qcow2 x 8M"], "x"),
        Both("size 0", "qcow2", ["img create -q -f qcow2 x 0"], "x"),
        Both("compressed", "qcow2", ["img create -q -f raw a 1M", "io raw a 'write -P 1 0 512k'", "img convert -c -O qcow2 a x"], "x"),
        Both("snapshots", "qcow2", ["img create -q -f qcow2 x 8M", "io qcow2 x 'write 0 1M'", "img snapshot -c s x", "io qcow2 x 'write 512k 1M'"], "x"),
        Both("overlay", "qcow2", ["img create -q -f qcow2 b 8M", "img create -q -f qcow2 -b b -F qcow2 x", "io qcow2 x 'write 512k 1M'"], "x"),
        // A leaked cluster: the refcount of one behind the last in use set to 1. Refcount block of a fresh image: 0x20000, entries of 2 bytes.
        Both("leak", "qcow2", ["img create -q -f qcow2 x 8M", "io qcow2 x 'write 0 64k'", "truncate -s 458752 x", "io raw x 'write -P 0 131084 1' 'write -P 1 131085 1'"], "x", "-q x", "-r leaks x", "x"),
        Both("leak repaired by all", "qcow2", ["img create -q -f qcow2 x 8M", "io qcow2 x 'write 0 64k'", "truncate -s 458752 x", "io raw x 'write -P 0 131084 1' 'write -P 1 131085 1'"], "-r all x", "x"),
        // A referenced cluster whose refcount is 0.
        Both("refcount too low", "qcow2", ["img create -q -f qcow2 x 8M", "io qcow2 x 'write 0 64k'", "io raw x 'write -P 0 131080 2'"], "x", "-q x", "-r leaks x", "-r all x", "x"),
        // An L2 entry without its COPIED flag (the L2 table stands at 0x40000).
        Both("copied flag", "qcow2", ["img create -q -f qcow2 x 8M", "io qcow2 x 'write 0 64k'", "io raw x 'write -P 0 262144 1'"], "x", "-r all x", "x"),
        // An L2 entry that points behind the end of the file.
        Both("cluster outside the file", "qcow2", ["img create -q -f qcow2 x 8M", "io qcow2 x 'write 0 64k'", "io raw x 'write -P 1 262147 1'"], "x", "-r leaks x", "-r all x", "x"),
        Both("unaligned cluster", "qcow2", ["img create -q -f qcow2 x 8M", "io qcow2 x 'write 0 64k'", "io raw x 'write -P 2 262150 1'"], "x", "-r all x", "x"),
        Both("dirty", "qcow2", ["img create -q -f qcow2 -o lazy_refcounts=on x 8M", "io raw x 'write -P 1 79 1'"], "x", "-r all x", "x"),
        .. new[] { "vdi", "vmdk", "qed", "parallels", "vhdx" }
            .Select(format => Both("clean", format, [$"img create -q -f {format} x 10M", $"io {format} x 'write -P 1 1M 64k' 'write -P 2 5M 1M'"], $"-f {format} x", "-q x")),
        .. new[] { "vpc", "qcow" }.Select(format => Both("no check", format, [$"img create -q -f {format} x 10M"], "x")),
    ];

    private static ConformanceCase Both(string topic, string format, string[] setup, params string[] arguments) => new()
    {
        Command = "check",
        Topic = topic,
        Format = format,
        Setup = setup,
        Steps = [.. arguments.SelectMany(static a => a.Contains("-r", StringComparison.Ordinal) ? [$"check {a}"] : new[] { $"check {a}", $"check --output=json {a}" })],
    };
}
