namespace ImageCluster.Conformance.Cases;

/// <summary>Images whose refcounts call clusters free in which metadata stands: whoever takes room must not take that.</summary>
internal static class MiscountCases
{
    // Refcount table, its block, the active L1 table, a snapshot's L1 table, the table of snapshots, the active L2 table, the directory of bitmaps.
    private static readonly int[] Metadata = [1, 2, 3, 6, 7, 8, 11];

    // The table of a bitmap.
    private const int BitmapTable = 10;

    // Refcounts of 16 bits stand at 128 KiB; the table of blocks at 64 KiB.
    private static readonly string[] Images =
    [
        "img create -q -f qcow2 m.qcow2 4M",
        "io qcow2 m.qcow2 'write -P 1 0 64k'",
        "img snapshot -c old m.qcow2",
        "io qcow2 m.qcow2 'write -P 2 0 64k'",
        "img bitmap --add m.qcow2 b",
        .. new[] { 0, BitmapTable }.Concat(Metadata).SelectMany(static cluster => new[] { $"cp m.qcow2 m{cluster}.qcow2", $"io raw m{cluster}.qcow2 'write -P 0 {(128 << 10) + (2 * cluster)} 2'" }),
        "img create -q -f qcow2 -o compat=0.10 far.qcow2 4M",
        "io raw far.qcow2 'write -P 255 65816 4'",
        "cp m.qcow2 odd.qcow2",
        "io raw odd.qcow2 'write -P 2 65542 1'",
    ];

    public static IReadOnlyList<ConformanceCase> List { get; } =
    [
        Make("snapshot", "metadata that nobody counts: -c", [0, .. Metadata], "snapshot -c x {0}", "map {0}", "snapshot -l {0}", "resize {0} 8M"),
        Make("snapshot", "metadata that nobody counts: -c over a bitmap's table", [BitmapTable], "snapshot -c x {0}", "map {0}") with
        {
            Verdict = Verdict.Better,
            Differs = DifferencePart.Said,
            Reason = "refused, and the image marked, as with other metadata; qemu-img writes there and moves the bitmap",
        },
        Make("bench", "metadata that nobody counts: -w", Metadata, "bench -w -c 1 -o 2M -s 64k {0}", "map {0}"),
        Make("amend", "metadata that nobody counts: refcount_bits", [1, 3, 6, 7, 8, 11], "amend -o refcount_bits=64 {0}", "map {0}"),
        Make("bitmap", "metadata that nobody counts: --add", Metadata, "bitmap --add {0} n", "map {0}") with
        {
            Verdict = Verdict.Better,
            Differs = DifferencePart.Said,
            Reason = "what could not be stored ends with exit code 1; qemu-img says that the bitmaps are lost and ends with 0",
        },
        new ConformanceCase
        {
            Command = "map",
            Topic = "a refcount block at an odd place",
            Format = "qcow2",
            Setup = Images,
            Steps = ["map odd.qcow2", "convert -m 1 odd.qcow2 x"],
            Verdict = Verdict.Differs,
            Differs = DifferencePart.Errors,
            Reason = "the same output; that a refcount block is misplaced is not said, for reading needs none",
        },
        new ConformanceCase
        {
            Command = "resize",
            Topic = "a refcount block beyond every file",
            Format = "qcow2",
            Setup = Images,
            Steps = ["resize --shrink far.qcow2 1M", "map far.qcow2"],
        },
    ];

    private static ConformanceCase Make(string command, string topic, int[] clusters, params string[] lines) => new()
    {
        Command = command,
        Topic = topic,
        Format = "qcow2",
        Setup = Images,
        Steps = [.. clusters.SelectMany(cluster => lines.Select(line => line.Replace("{0}", $"m{cluster}.qcow2", StringComparison.Ordinal)))],
    };
}
