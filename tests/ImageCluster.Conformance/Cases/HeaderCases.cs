namespace ImageCluster.Conformance.Cases;

/// <summary>qcow2: features that nobody knows, images that were not closed, and the end of a disk within a cluster.</summary>
internal static class HeaderCases
{
    // The feature name table (at 112) is cut to one entry, and that one to 14 bytes: type 0, bit 63, a name. Other incompatible bits have none.
    private const string OneName = @"printf '\150\003\370\127\000\000\000\016\000\077Test feature\000\000\000\000\000\000\000\000\000\000'";

    private static readonly string[] Features =
    [
        "img create -q -f qcow2 known.qcow2 1M",
        $"sh -c \"{OneName} | dd of=known.qcow2 bs=1 seek=112 conv=notrunc status=none\"",
        "cp known.qcow2 one.qcow2",
        "io raw one.qcow2 'write -P 128 72 1'",
        "cp known.qcow2 more.qcow2",
        "io raw more.qcow2 'write -P 224 72 1'",
        "img create -q -f qcow2 clear.qcow2 1M",
        "io raw clear.qcow2 'write -P 128 88 1'",
    ];

    // The refcount of the first data cluster is one too many, that of the second is 0; the image says that it was not closed.
    private static readonly string[] Dirty =
    [
        "img create -q -f qcow2 -o lazy_refcounts=on x.qcow2 1M",
        "io qcow2 x.qcow2 'write -P 1 0 256k'",
        "io raw x.qcow2 'write -P 1 79 1' 'write -P 0 131083 1' 'write -P 2 131085 1'",
    ];

    private static readonly string[] Ends =
    [
        "img create -q -f raw base.raw 128k",
        "io raw base.raw 'write -P 1 0 128k'",
        .. new[] { "31k", "33k", "64k" }.Select(static size => $"img create -q -f qcow2 -b base.raw -F raw o{size}.qcow2 {size}"),
        .. new[] { "31k", "33k" }.Select(static size => $"img create -q -f qcow2 -o extended_l2=on -b base.raw -F raw e{size}.qcow2 {size}"),
        .. new[] { "31k", "33k" }.Select(static size => $"img create -q -f qcow2 -o data_file=d{size}.data -b base.raw -F raw d{size}.qcow2 {size}"),
        "io qcow2 o33k.qcow2 'write -P 2 32k 512'",
        "cp o33k.qcow2 w33k.qcow2",
    ];

    private static readonly string[] Overlays = ["o31k", "o33k", "w33k", "o64k", "e31k", "e33k", "d31k", "d33k"];

    public static IReadOnlyList<ConformanceCase> List { get; } =
    [
        Make("info", "features that are not known", Features, "info one.qcow2", "info more.qcow2", "check -r all one.qcow2", "info known.qcow2"),
        Make("check", "-r drops autoclear bits that are not known", Features, "check clear.qcow2", "compare -f raw -F raw clear.qcow2 known.qcow2", "check -r all clear.qcow2", "compare -f raw -F raw clear.qcow2 known.qcow2"),
        .. new[] { "amend -o compat=0.10 x.qcow2", "resize x.qcow2 2M", "snapshot -c a x.qcow2", "bench -w -c 1 -q x.qcow2", "rebase -u -b '' x.qcow2", "bitmap --add x.qcow2 b", "convert -n -O qcow2 x.qcow2 x.qcow2", "info x.qcow2", "map x.qcow2" }.Select(static line =>
            Make(line.Split(' ')[0], "an image that was not closed is repaired first, and says so", Dirty, line, "check x.qcow2")),
        .. new[] { "metadata", "falloc", "full" }.SelectMany(static mode => new[] { "96k", "128k", "160k" }.Select(size =>
            Make("resize", $"--preallocation={mode}: to {size}, an overlay that ends within a cluster", Ends,
                [.. Overlays.Select(name => $"resize --preallocation={mode} {name}.qcow2 {size}"), .. Overlays.Select(static name => $"convert -O raw {name}.qcow2 {name}.raw"), "check o31k.qcow2", "check o64k.qcow2", "check e33k.qcow2", "check d31k.qcow2"]) with
            {
                Images = [.. Overlays.Select(static name => $"{name}.raw:raw")],
            })),
        Make("convert", "-n: zeros onto compat=0.10 without a backing file take no room", ["img create -q -f qcow2 -o compat=0.10 x.qcow2 4M", "io qcow2 x.qcow2 'write -P 1 1M 1M'", "img create -q -f qcow2 z.qcow2 4M"], "convert -n -O qcow2 z.qcow2 x.qcow2", "map --output=json x.qcow2", "check x.qcow2"),
    ];

    private static ConformanceCase Make(string command, string topic, IReadOnlyList<string> setup, params string[] steps) =>
        new() { Command = command, Topic = topic, Format = "qcow2", Setup = setup, Steps = steps, IgnoresDiskSize = true };
}
