namespace ImageCluster.Conformance.Cases;

/// <summary>commit and rebase.</summary>
internal static class ChainCases
{
    private const string ZerosStayZeros = "zeros of the old backing file become zero clusters; qemu-img writes them out as data";

    private static readonly string[] Chain =
    [
        "img create -q -f qcow2 c0.qcow2 4M",
        "io qcow2 c0.qcow2 'write -P 1 0 1M' 'write -P 2 3M 512k'",
        "img create -q -f qcow2 -b c0.qcow2 -F qcow2 c1.qcow2 6M",
        "io qcow2 c1.qcow2 'write -P 3 1M 1M' 'write -z 3M 64k'",
        "img create -q -f qcow2 -b c1.qcow2 -F qcow2 c2.qcow2 6M",
        "io qcow2 c2.qcow2 'write -P 4 4M 1M' 'write -P 5 512k 64k'",
        "img create -q -f qcow2 other.qcow2 5M",
        "io qcow2 other.qcow2 'write -P 1 0 1M' 'write -P 9 2M 1M'",
        "truncate -s 6M base.raw",
        "img create -q -f qcow2 -b base.raw -F raw over.qcow2",
        "io qcow2 over.qcow2 'write -P 7 1M 64k'",
    ];

    public static IReadOnlyList<ConformanceCase> List { get; } =
    [
        new ConformanceCase
        {
            Command = "commit",
            Topic = "by way of a filter",
            Format = "qcow2",
            Setup = ["img create -q -f qcow2 base.qcow2 1M", "img create -q -f qcow2 -b base.qcow2 -F qcow2 top.qcow2", "io qcow2 top.qcow2 'write -P 1 0 64k'"],
            Steps = ["commit --image-opts driver=compress,file.driver=qcow2,file.file.filename=top.qcow2"],
            Verdict = Verdict.Differs,
            Differs = DifferencePart.Said,
            Reason = "refused: a filter has no backing file; name the image itself. qemu-img commits it",
        },
        new()
        {
            Command = "rebase",
            Topic = "compat=0.10: onto an image, where there was none",
            Format = "qcow2",
            Setup = ["img create -q -f qcow2 b 1M", "io qcow2 b 'write -P 1 0 300k'", "img create -q -f qcow2 -o compat=0.10 x 1M", "io qcow2 x 'write -P 2 512k 64k'"],
            Steps = ["rebase -b b -F qcow2 x"],
            Images = ["x"],
            Verdict = Verdict.Better,
            Differs = DifferencePart.Content,
            Reason = "the guest sees what it saw; with qemu-img 7.2 the new backing file shines through where the image held nothing",
        },
        Steps("commit", "into the backing file", "qcow2", "commit c2.qcow2", "compare c1.qcow2 c2.qcow2", "check -q c1.qcow2", "check -q c2.qcow2"),
        Steps("commit", "the emptied image is a short file", "qcow2", "commit c2.qcow2", "info -f raw c2.qcow2", "commit over.qcow2", "info -f raw over.qcow2") with { IgnoresDiskSize = true },
        Steps("commit", "-b: into a smaller base, which grows", "qcow2", "commit -b c0.qcow2 c2.qcow2", "compare c0.qcow2 c2.qcow2", "check -q c0.qcow2"),
        Steps("commit", "-d -q", "qcow2", "commit -d -q c2.qcow2", "compare c1.qcow2 c2.qcow2", "map --output=json c2.qcow2"),
        Steps("commit", "into a raw backing file", "qcow2", "commit over.qcow2", "compare -f raw -F qcow2 base.raw over.qcow2"),
        Steps("commit", "-r -t", "qcow2", "commit -r 1G -t none -f qcow2 c2.qcow2", "commit -t foo c2.qcow2", "commit -r x c2.qcow2"),
        Steps("commit", "errors", "qcow2", "commit", "commit a b", "commit nix", "commit c0.qcow2", "commit -b nix c2.qcow2", "commit -b c2.qcow2 c2.qcow2", "commit -U c2.qcow2"),
        Steps("rebase", "errors", "qcow2", "rebase", "rebase a", "rebase c2.qcow2", "rebase -b x", "rebase -b nix c2.qcow2", "rebase -b nix -F qcow2 c2.qcow2", "rebase -u -b nix c2.qcow2", "rebase -u -b nix -F foo c2.qcow2",
            "rebase -t foo -b x c2.qcow2", "rebase -T foo -b x c2.qcow2", "rebase -f raw -u -b '' base.raw"),
        Steps("rebase", "-u", "qcow2", "rebase -u -b c0.qcow2 -F qcow2 c2.qcow2", "info c2.qcow2", "rebase -u -b '' c2.qcow2", "info c2.qcow2", "rebase -u -b gone -F raw c2.qcow2", "info c2.qcow2", "rebase -u -F raw c2.qcow2", "info c2.qcow2") with
        {
            IgnoresDiskSize = true,
        },
        Safe("down the chain", "rebase -b c0.qcow2 -F qcow2 c2.qcow2") with { Verdict = Verdict.Better, Differs = DifferencePart.Check | DifferencePart.Map, Reason = ZerosStayZeros },
        Safe("onto none", "rebase -b '' c2.qcow2"),
        Safe("onto another, shorter image", "rebase -b other.qcow2 -F qcow2 c2.qcow2") with { Verdict = Verdict.Better, Differs = DifferencePart.Check | DifferencePart.Map, Reason = ZerosStayZeros },
        Safe("onto raw and back", "rebase -b base.raw -F raw c2.qcow2", "rebase -b c1.qcow2 -F qcow2 c2.qcow2"),
        Safe("cache modes", "rebase -t none -T none -q -b c0.qcow2 -F qcow2 c2.qcow2") with { Verdict = Verdict.Better, Differs = DifferencePart.Check | DifferencePart.Map, Reason = ZerosStayZeros },
    ];

    private static ConformanceCase Steps(string command, string topic, string format, params string[] steps) =>
        new() { Command = command, Topic = topic, Format = format, Setup = Chain, Steps = steps };

    // The copies of the guest's bytes made before and after must be equal, and the images must be the same as qemu-img's.
    private static ConformanceCase Safe(string topic, params string[] steps) => new()
    {
        Command = "rebase",
        Topic = topic,
        Format = "qcow2",
        Setup = [.. Chain, "img convert -O raw c2.qcow2 before.raw"],
        Steps = [.. steps, "compare -F raw c2.qcow2 before.raw"],
        Images = ["c2.qcow2"],
        SameLayout = false,
    };
}
