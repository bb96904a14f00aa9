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

    // What cannot be opened, what cannot tell where its data is, and what cannot be read.
    private static readonly string[] Broken =
    [
        "img create -q -f qcow2 a.qcow2 4M",
        "io qcow2 a.qcow2 'write -P 1 0 1M' 'write -P 2 2M 1M'",
        "img convert -O raw a.qcow2 a.raw",
        "cp a.qcow2 l1.qcow2", "io raw l1.qcow2 'write -P 2 196614 1'",
        "cp a.qcow2 l2.qcow2", "io raw l2.qcow2 'write -P 2 262150 1'",
        "cp a.qcow2 head.qcow2", "io raw head.qcow2 'write -P 255 20 2'",
        "img create -q -f vmdk -o subformat=monolithicFlat flat.vmdk 4M", "rm flat-flat.vmdk",
        "img create -q -f vmdk -o subformat=twoGbMaxExtentSparse split.vmdk 4M", "rm split-s001.vmdk",
        "img create -q -f qcow2 -u -b gone.raw -F raw orphan.qcow2 4M",
        "img convert -O vmdk -o subformat=streamOptimized a.raw noise.vmdk", "sh -c 'printf %400s x | tr \" \" y | dd of=noise.vmdk bs=1 seek=65552 conv=notrunc status=none'",
        "sample cloop a.cloop", "img convert -f cloop -O raw a.cloop cloop.raw", "cp a.cloop noise.cloop", "sh -c 'printf %400s x | tr \" \" y | dd of=noise.cloop bs=1 seek=600 conv=notrunc status=none'",
        "sample dmg a.dmg", "img convert -f dmg -O raw a.dmg dmg.raw", "cp a.dmg noise.dmg", "sh -c 'printf %400s x | tr \" \" y | dd of=noise.dmg bs=1 seek=66000 conv=notrunc status=none'",
    ];

    // Formats whose drivers tell what is allocated in ways of their own.
    private static readonly (string Format, string Options)[] Kinds =
    [
        ("raw", "preallocation=off"), ("qcow2", "extended_l2=on"), ("qcow2", "extended_l2=on,cluster_size=16k"), ("qcow2", "extended_l2=on,preallocation=metadata"), ("qcow2", "preallocation=falloc"), ("vdi", "static=on"), ("vdi", "static=off"),
        ("vmdk", "subformat=monolithicFlat"), ("vmdk", "subformat=twoGbMaxExtentFlat"), ("vmdk", "subformat=monolithicSparse"), ("vpc", "subformat=fixed,force_size=on"), ("vpc", "force_size=on"), ("vhdx", "subformat=fixed"), ("vhdx", "subformat=dynamic"),
        ("qed", "cluster_size=64k"), ("parallels", "cluster_size=1M"),
    ];

    public static IReadOnlyList<ConformanceCase> List { get; } =
    [
        .. Kinds.Select(static (kind, number) => Strict(kind.Format, kind.Options, number)),
        Breaking("exit code 2: an image that cannot be opened", "nix a.raw", "a.raw nix", "head.qcow2 a.raw", "a.raw head.qcow2", "flat.vmdk a.raw", "a.raw flat.vmdk", "a.raw split.vmdk", "-f raw a.raw orphan.qcow2", "-f foo a.raw a.raw", "-F qcow2 a.raw a.raw", "-q nix a.raw", "-s a.raw nix"),
        Breaking("exit code 3: an image that cannot tell where its data is", "l1.qcow2 a.raw", "a.raw l1.qcow2", "l2.qcow2 a.raw", "a.raw l2.qcow2", "-s l2.qcow2 l2.qcow2", "-q l1.qcow2 a.raw"),
        Breaking("exit code 4: data that cannot be read", "noise.vmdk a.raw", "a.raw noise.vmdk", "noise.cloop cloop.raw", "cloop.raw noise.cloop", "noise.dmg dmg.raw", "dmg.raw noise.dmg", "-q noise.vmdk a.raw", "-s noise.cloop noise.cloop") with
        {
            Verdict = Verdict.Better,
            Differs = DifferencePart.Errors,
            Reason = "says also what is damaged, and where exactly",
        },
        Steps("equal and different", "raw and qcow2", "a.qcow2 a.raw", "a.raw a.qcow2", "a.qcow2 a.qcow2", "a.raw b.raw", "a.qcow2 b.raw", "empty.qcow2 zero.qcow2", "empty.qcow2 a.qcow2", "a.qcow2 empty.qcow2", "a.qcow2 c.qcow2"),
        Steps("sizes that differ", "raw", "a.raw long.raw", "long.raw a.raw", "a.raw tail.raw", "tail.raw a.raw", "b.raw tail.raw", "nothing.raw empty.qcow2", "a.raw nothing.raw", "nothing.raw nothing.raw"),
        Steps("backing files", "qcow2", "a.qcow2 over.qcow2", "over.qcow2 other.qcow2", "-s a.qcow2 over.qcow2"),
        Steps("-s", "raw and qcow2", "-s a.raw long.raw", "-s a.raw a.raw", "-s a.qcow2 a.qcow2", "-s empty.qcow2 zero.qcow2", "-s a.raw b.raw", "-s a.qcow2 c.qcow2", "-s a.qcow2 a.raw", "-s nothing.raw nothing.raw"),
        Steps("-q -p", "raw and qcow2", "-q a.raw b.raw", "-q a.raw a.raw", "-q a.raw long.raw", "-qp a.raw a.raw", "-q -s a.raw long.raw", "-p empty.qcow2 empty.qcow2", "-p nothing.raw nothing.raw"),
        Steps("formats, cache modes, options", "raw and qcow2", "-f raw -F raw a.raw a.qcow2", "-f qcow2 a.raw a.raw", "-F qcow2 a.raw a.raw", "-T none a.raw a.raw", "-T directsync a.raw a.raw", "-T writethrough a.raw a.raw", "-T unsafe a.raw a.raw", "-U a.raw a.raw",
            "--image-opts driver=raw,file.filename=a.raw driver=qcow2,file.filename=a.qcow2", "a.raw nix", "nix a.raw"),
    ];

    // Each with itself, and both ways with the next.
    private static ConformanceCase Strict(string format, string options, int number)
    {
        (string other, string otherOptions) = Kinds[(number + 1) % Kinds.Length];
        return new()
        {
            Command = "compare",
            Topic = $"-s: {options}, and {other} {otherOptions}",
            Format = format,
            Setup = [.. Kind(format, options, "x"), .. Kind(other, otherOptions, "y"), .. Kind("qcow2", "cluster_size=64k", "z")],
            Steps =
            [
                $"compare -s -f {format} -F {format} x x", $"compare -s -f {format} -F {other} x y", $"compare -s -f {other} -F {format} y x", $"compare -s -f {format} -F qcow2 x z", $"compare -s -f qcow2 -F {format} z x",
            ],
        };
    }

    private static string[] Kind(string format, string options, string name) =>
        [$"img create -q -f {format} -o {options} {name} 4M", $"io {format} {name} 'write -P 1 0 300k' 'write -P 2 700k 64k' 'write -z 768k 64k'"];

    private static ConformanceCase Breaking(string topic, params string[] arguments) => Steps(topic, "", arguments) with { Setup = Broken };

    private static ConformanceCase Steps(string topic, string format, params string[] arguments) =>
        new() { Command = "compare", Topic = topic, Format = format, Setup = Images, Steps = [.. arguments.Select(static a => $"compare {a}")] };
}
