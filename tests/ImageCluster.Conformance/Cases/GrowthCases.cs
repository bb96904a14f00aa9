namespace ImageCluster.Conformance.Cases;

/// <summary>Disks that grow over a longer backing file, or into room that was used before.</summary>
internal static class GrowthCases
{
    private static readonly string[] Chain =
    [
        "img create -q -f qcow2 base.qcow2 2M", "io qcow2 base.qcow2 'write -P 7 0 2M'",
        .. new[] { "0.10", "1.1" }.SelectMany(static compat => new[] { "10k", "64k", "1M", "2M" }.Select(size => $"img create -q -f qcow2 -o compat={compat} -b base.qcow2 -F qcow2 {compat}-{size} {size}")),
        "img create -q -f qed -b base.qcow2 -F qcow2 a.qed 1M", "img create -q -f qed -b base.qcow2 -F qcow2 c.qed 2M", "img create -q -f qcow2 -b a.qed -F qed on-qed.qcow2 2M", "io qcow2 on-qed.qcow2 'write 0 4k'",
        "img create -q -f qcow2 -b 0.10-1M -F qcow2 on-v2.qcow2 2M", "io qcow2 on-v2.qcow2 'write 0 4k'", "img create -q -f qcow2 -b 1.1-1M -F qcow2 on-v3.qcow2 2M", "io qcow2 on-v3.qcow2 'write 0 4k'",
        "img create -q -f vmdk -o subformat=monolithicFlat flat.vmdk 1M", "img create -q -f qcow2 -b flat.vmdk -F vmdk on-flat.qcow2 2M", "io qcow2 on-flat.qcow2 'write 0 4k'",
    ];

    // What was a bitmap is free again, and still holds its bits.
    private static readonly string[] Stale =
    [
        "img create -q -f qcow2 -o cluster_size=4k a.qcow2 1M", "io qcow2 a.qcow2 'write -P 5 0 4k'", "img bitmap --add -g 4k a.qcow2 b", "io qcow2 a.qcow2 'write -P 5 0 512k'", "img bitmap --add -g 4k a.qcow2 b2",
        "img bitmap --remove a.qcow2 b", "img bitmap --remove a.qcow2 b2",
    ];

    public static IReadOnlyList<ConformanceCase> List { get; } =
    [
        .. new[] { "0.10", "1.1" }.Select(static compat => Make("resize", $"over a longer backing file, compat={compat}", "qcow2", Chain,
            $"resize {compat}-10k 64k", $"resize {compat}-64k 100k", $"resize {compat}-1M 1100k", $"resize {compat}-1M 3M", $"resize {compat}-2M 3M", $"resize --preallocation=falloc {compat}-64k 200k") with
        {
            Images = [$"{compat}-10k:qcow2", $"{compat}-64k:qcow2", $"{compat}-1M:qcow2", $"{compat}-2M:qcow2"],
        }),
        Make("resize", "over a longer backing file", "qed", Chain, "resize a.qed 2M", "resize --preallocation=falloc a.qed 2M", "resize c.qed 3M", "resize --preallocation=falloc c.qed 4M") with { Images = ["a.qed", "c.qed"] },
        Make("amend", "-o size over a longer backing file", "qcow2", Chain, "amend -o size=2M 0.10-1M", "amend -o size=1536k 1.1-1M", "amend -o size=3M 1.1-64k", "amend -o size=2M,compat=0.10 1.1-10k") with
        {
            Images = ["0.10-1M:qcow2", "1.1-1M:qcow2", "1.1-64k:qcow2", "1.1-10k:qcow2"],
        },
        Make("commit", "into an image that cannot grow", "", Chain, "commit on-qed.qcow2", "commit on-v2.qcow2", "commit on-flat.qcow2", "commit on-v3.qcow2") with { Images = ["1.1-1M:qcow2", "a.qed"] },
        .. new[] { "metadata", "falloc", "full" }.Select(static mode => Make("resize", $"--preallocation={mode} into room that was used before", "qcow2", Stale, $"resize --preallocation={mode} a.qcow2 2M", "convert -O raw a.qcow2 x.raw") with
        {
            Images = ["x.raw:raw"],
            Verdict = Verdict.Better,
            Differs = DifferencePart.Content,
            Reason = "what is added reads as zeros; with qemu-img 7.2 the guest finds what stood in the file before",
        }),
        Make("resize", "--shrink of an image whose refcount table is empty", "qcow2",
            ["img create -q -f qcow2 x.qcow2 2M", "io qcow2 x.qcow2 'write -P 1 0 2M'", "io raw x.qcow2 'write -z 64k 512'"], "resize --shrink x.qcow2 1M", "convert -O raw x.qcow2 x.raw") with
        {
            Images = ["x.raw:raw"],
            Verdict = Verdict.Better,
            Differs = DifferencePart.Errors | DifferencePart.Content,
            Reason = "the same refusal and mark, before anything is dropped; qemu-img drops what was to be cut off, and says of each cluster that it could not",
        },
        Make("rebase", "onto an image where there was none", "qed", ["img create -q -f raw b.raw 1M", "io raw b.raw 'write -P 7 0 1M'", "img create -q -f qed x.qed 1M", "io qed x.qed 'write -P 3 0 4k'"], "rebase -b b.raw -F raw x.qed") with { Images = ["x.qed"] },
        Make("rebase", "onto an image where there was none, compat=0.10", "qcow2",
            ["img create -q -f raw b.raw 1M", "io raw b.raw 'write -P 7 0 1M'", "img create -q -f qcow2 -o compat=0.10 x.qcow2 1M", "io qcow2 x.qcow2 'write -P 3 0 4k'"], "rebase -b b.raw -F raw x.qcow2", "convert -O raw x.qcow2 x.raw") with
        {
            Images = ["x.raw:raw"],
            Verdict = Verdict.Better,
            Differs = DifferencePart.Content,
            Reason = "what read as zeros still does; with qemu-img 7.2 the new backing file shows through",
        },
        Make("bitmap", "all bits set, and the disk grows", "qcow2", [], "create -q -f qcow2 a.qcow2 700k", "bitmap --add -g 1M a.qcow2 b", "bench -q -w -c 1 -s 512 a.qcow2", "resize -q a.qcow2 1100k") with { Images = ["a.qcow2"] },
    ];

    private static ConformanceCase Make(string command, string topic, string format, string[] setup, params string[] steps) =>
        new() { Command = command, Topic = topic, Format = format, Setup = setup, Steps = steps, IgnoresDiskSize = true, SameLayout = false };
}
