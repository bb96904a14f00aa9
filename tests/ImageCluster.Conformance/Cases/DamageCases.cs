namespace ImageCluster.Conformance.Cases;

/// <summary>Images that are damaged, and raw images that nobody said are raw: what is refused, in which words, and what becomes of them.</summary>
internal static class DamageCases
{
    // An L1 entry, and two L2 entries (of the first cluster, and of one in the middle) that are not aligned; compressed clusters that are noise.
    private static readonly string[] Images =
    [
        "img create -q -f qcow2 a.qcow2 4M",
        "io qcow2 a.qcow2 'write -P 1 0 1M' 'write -P 2 2M 1M'",
        "img convert -O raw a.qcow2 a.raw",
        "cp a.qcow2 l1.qcow2",
        "cp a.qcow2 l2.qcow2",
        "cp a.qcow2 mid.qcow2",
        "io raw l1.qcow2 'write -P 2 196614 1'",
        "io raw l2.qcow2 'write -P 2 262150 1'",
        "io raw mid.qcow2 'write -P 2 262430 1'",
        "img create -q -f qcow2 -b mid.qcow2 -F qcow2 top.qcow2",
        "img convert -c -m 1 -O qcow2 a.qcow2 c.qcow2",
        "io raw c.qcow2 'write -P 255 327680 1k'",
        "img create -q -f raw guess.raw 4M",
        "img create -q -f raw one.raw 1M",
        "io raw one.raw 'write -P 3 0 1M'",
        "cp a.qcow2 mark.raw",
        "img create -q -f qcow2 -b guess.raw -F raw over.qcow2",
        "img convert -n -f raw -O qcow2 mark.raw over.qcow2",
        "img create -q -f qcow2 -o refcount_bits=1 bit.qcow2 1M",
        "io qcow2 bit.qcow2 'write 0 64k'",
    ];

    // The snapshot's entry stands at 320 KiB: its L1 table's place, the size of that, the size of its further data; in the header, the number of snapshots and the place of the table.
    private static readonly string[] Snapshots =
    [
        "img create -q -f qcow2 s.qcow2 1M",
        "img snapshot -c s s.qcow2",
        .. new[] { ("place", "-P 2 327686"), ("size", "-P 16 327688"), ("extra", "-P 255 327718"), ("many", "-P 2 61"), ("table", "-P 2 70") }
            .SelectMany(static damage => new[] { $"cp s.qcow2 {damage.Item1}.qcow2", $"io raw {damage.Item1}.qcow2 'write {damage.Item2} 1'" }),
    ];

    // The snapshot's L2 table stays where it was, at 256 KiB.
    private static readonly string[] SnapshotTable =
    [
        "img create -q -f qcow2 s.qcow2 4M",
        "io qcow2 s.qcow2 'write -P 1 0 1M'",
        "img snapshot -c s s.qcow2",
        "io qcow2 s.qcow2 'write -P 2 0 64k'",
        "io raw s.qcow2 'write -P 2 262150 1'",
        "cp s.qcow2 d.qcow2",
    ];

    // The first of the two region tables; both; a descriptor without its parent's content id; an L2 table's place in a qed image.
    private static readonly string[] Others =
    [
        "img create -q -f vhdx one.vhdx 4M",
        "cp one.vhdx both.vhdx",
        "io raw one.vhdx 'write -P 0 192k 4'",
        "io raw both.vhdx 'write -P 0 192k 4' 'write -P 0 256k 4'",
        "img create -q -f vmdk -o subformat=monolithicFlat no.vmdk 4M",
        "io raw no.vmdk 'write -P 88 48 2'",
        "img create -q -f qed a.qed 4M",
        "io qed a.qed 'write 0 64k'",
        "io raw a.qed 'write -P 255 65536 8'",
    ];

    public static IReadOnlyList<ConformanceCase> List { get; } =
    [
        Make("info", "a region table of two is damaged", "vhdx", "info one.vhdx", "map one.vhdx") with { Setup = Others, IgnoresDiskSize = true, Verdict = Verdict.Better, Differs = DifferencePart.Said, Reason = "the other one is read; qemu-img refuses the image" },
        Make("info", "both region tables are damaged", "vhdx", "info both.vhdx", "convert both.vhdx x") with { Setup = Others, Verdict = Verdict.Better, Differs = DifferencePart.Errors, Reason = "the same refusal, and what is wrong; qemu-img says \"Invalid argument\"" },
        Make("info", "a descriptor without its parent's content id", "vmdk", "info no.vmdk", "convert no.vmdk x") with { Setup = Others, Verdict = Verdict.Better, Differs = DifferencePart.Errors, Reason = "the same refusal, and what is wrong; qemu-img says \"Invalid argument\"" },
        Make("map", "an L2 table that is nowhere", "qed", "map a.qed", "convert a.qed x") with { Setup = Others, Verdict = Verdict.Better, Differs = DifferencePart.Errors, Reason = "the same refusal, and what is wrong; as the reason qemu-img says \"Invalid argument\", ours \"Input/output error\"" },
        .. new[] { "l1", "l2", "mid", "top" }.SelectMany(static image => new[]
        {
            Make("convert", $"damage: {image}", "qcow2", $"convert {image}.qcow2 x.raw", $"convert -O qcow2 {image}.qcow2 y", $"convert -q --salvage {image}.qcow2 z.raw", "info z.raw"),
            Make("compare", $"damage: {image}", "qcow2", $"compare {image}.qcow2 {image}.qcow2", $"compare a.qcow2 {image}.qcow2", $"compare -s {image}.qcow2 a.qcow2"),
            Make("map", $"damage: {image}", "qcow2", $"map {image}.qcow2", $"map --output=json {image}.qcow2"),
            Make("dd", $"damage: {image}", "qcow2", $"dd if={image}.qcow2 of=x bs=64k"),
            Make("measure", $"damage: {image}", "qcow2", $"measure -O qcow2 {image}.qcow2"),
            Make("bench", $"damage: {image}", "qcow2", $"bench -c 1 -o 2M -s 1M {image}.qcow2"),
        }),
        .. new[] { "l1", "l2", "mid" }.Select(static image =>
            Make("snapshot", $"damage: {image}", "qcow2", $"snapshot -c x {image}.qcow2", $"info {image}.qcow2", $"bench -w -c 1 {image}.qcow2", $"commit {image}.qcow2", $"resize {image}.qcow2 8M", $"amend -o compat=0.10 {image}.qcow2", $"rebase -b a.raw -F raw {image}.qcow2", $"snapshot -l {image}.qcow2")),
        .. new[] { "l1", "l2", "mid" }.Select(static image => Make("amend", $"damage: {image}", "qcow2", $"amend -o compat=0.10 {image}.qcow2")),
        .. new[] { "extra", "many", "table" }.Select(static image => Make("check", $"damaged snapshot table: {image}", "qcow2", $"info {image}.qcow2", $"check {image}.qcow2", $"check --output=json {image}.qcow2", image == "many" ? $"snapshot -l {image}.qcow2" : $"check -q -r all {image}.qcow2") with { Setup = Snapshots }),
        .. new[] { "place", "size" }.Select(static image => Make("snapshot", $"damaged snapshot table: {image}", "qcow2", $"convert -l s {image}.qcow2 x", $"snapshot -d s {image}.qcow2", $"info {image}.qcow2") with { Setup = Snapshots }),
        .. new[] { "place", "size" }.Select(static image => Make("amend", $"damaged snapshot table: {image}", "qcow2", $"amend -o compat=0.10 {image}.qcow2", $"snapshot -a s {image}.qcow2", $"info {image}.qcow2") with
        {
            Setup = Snapshots,
            Verdict = Verdict.Differs,
            Differs = DifferencePart.Errors,
            Reason = "the reason stands in one line, not in two; the image is not marked as corrupt, as with qemu-img",
        }),
        Make("snapshot", "damage in a snapshot's own table", "qcow2", "snapshot -a s s.qcow2", "snapshot -d s d.qcow2", "info s.qcow2", "snapshot -l d.qcow2", "amend -o compat=0.10 s.qcow2") with { Setup = SnapshotTable },
        Make("bench", "writing marks a damaged image", "qcow2", "bench -w -c 1 -o 2M -s 1M mid.qcow2", "info mid.qcow2", "check mid.qcow2", "check -r all mid.qcow2", "info mid.qcow2"),
        Make("convert", "--salvage: what is said", "qcow2", "convert --salvage mid.qcow2 x") with { Verdict = Verdict.Better, Differs = DifferencePart.Errors, Reason = "each sector that cannot be read is named once, not once for each pass" },
        Make("convert", "compressed clusters that are noise", "qcow2", "convert c.qcow2 x", "compare c.qcow2 a.qcow2") with { Verdict = Verdict.Better, Differs = DifferencePart.Errors, Reason = "says also what is damaged; qemu-img says so for each of its coroutines, in any order" },
        Make("convert", "-q --salvage of compressed clusters that are noise", "qcow2", "convert -q --salvage c.qcow2 x", "info x"),
        Make("snapshot", "refcounts at their end", "qcow2", "snapshot -c x bit.qcow2", "check bit.qcow2") with { Verdict = Verdict.Better, Differs = DifferencePart.Said, Reason = "says which refcount is at its end and what to do; qemu-img leaves a leak" },
        Make("convert", "a probed raw target", "raw", "convert -m 1 -n -f raw --target-image-opts mark.raw file.filename=guess.raw", "info guess.raw", "convert -n -f raw --target-image-opts one.raw file.filename=guess.raw", "compare -f raw -F raw one.raw guess.raw",
            "convert -m 1 -n -f raw mark.raw guess.raw", "info guess.raw"),
        Make("bench", "a probed raw image", "raw", "bench -w -c 2 guess.raw", "bench -w -c 2 --image-opts file.filename=guess.raw", "bench -w -c 2 -f raw guess.raw"),
        Make("resize", "a probed raw image", "raw", "resize guess.raw 5M", "snapshot -c x guess.raw", "check guess.raw", "check -r all guess.raw", "commit guess.raw", "rebase -b '' guess.raw", "amend -o size=1M guess.raw"),
    ];

    private static ConformanceCase Make(string command, string topic, string format, params string[] steps) =>
        new() { Command = command, Topic = topic, Format = format, Setup = Images, Steps = steps, IgnoresDiskSize = true };
}
