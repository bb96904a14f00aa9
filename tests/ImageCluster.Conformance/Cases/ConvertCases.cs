namespace ImageCluster.Conformance.Cases;

internal static class ConvertCases
{
    private static readonly string[] Sources =
    [
        "img create -q -f raw a.raw 5M",
        "io raw a.raw 'write -P 1 0 100k' 'write -P 2 1M 64k' 'write -P 0 2M 256k' 'write -P 3 2100k 1' 'write -P 4 4M 700k'",
        "img convert -O qcow2 a.raw a.qcow2",
        "img create -q -f qcow2 base.qcow2 4M",
        "io qcow2 base.qcow2 'write -P 7 0 1M' 'write -P 8 3M 512k'",
        "img create -q -f qcow2 -b base.qcow2 -F qcow2 top.qcow2 5M",
        "io qcow2 top.qcow2 'write -P 5 512k 128k' 'write -z 3M 64k' 'write -P 6 4500k 64k'",
        "img snapshot -c one top.qcow2",
        "io qcow2 top.qcow2 'write -P 9 1M 64k'",
        "img snapshot -c 'two words' top.qcow2",
        "io qcow2 top.qcow2 'write -P 10 512k 64k'",
        "truncate -s 700 odd.raw",
        "truncate -s 0 empty.raw",
    ];

    private static readonly string[] Targets = ["raw", "qcow2", "vmdk", "vdi", "vpc", "vhdx", "qed", "qcow", "parallels"];

    public static IReadOnlyList<ConformanceCase> List { get; } =
    [
        .. Targets.Select(format => Into("from raw", format, $"convert -O {format} a.raw x")),
        .. Targets.Select(format => Into("from qcow2 with a backing file", format, $"convert -O {format} top.qcow2 x")),
        .. Targets.Select(format => Into("-S 0", format, $"convert -S 0 -O {format} top.qcow2 x")),
        Into("empty", "vmdk", "convert -f raw -O vmdk empty.raw y") with { Verdict = Verdict.Better, Differs = DifferencePart.Errors | DifferencePart.ExitCode | DifferencePart.Content, Reason = "an empty disk is converted; qemu-img cannot open what it has just created" },
        Into("odd", "vmdk", "convert -f raw -O vmdk odd.raw x"),
        Into("empty", "qcow", "convert -f raw -O qcow empty.raw y") with { Images = [], Verdict = Verdict.Better, Differs = DifferencePart.Files, Reason = "no file is left behind where an empty disk is refused" },
        Into("odd", "qcow", "convert -f raw -O qcow odd.raw x"),
        .. Targets.Where(static format => format is not ("vmdk" or "qcow")).Select(format => Into("odd and empty", format, $"convert -f raw -O {format} odd.raw x", $"convert -f raw -O {format} empty.raw y")),
        .. new[] { "cluster_size=512", "cluster_size=4k", "cluster_size=2M", "compat=0.10", "refcount_bits=1", "extended_l2=on", "lazy_refcounts=on", "preallocation=falloc", "preallocation=full", "data_file=d.raw", "data_file=d.raw,data_file_raw=on" }
            .Select(options => Into($"-o {options}", "qcow2", $"convert -O qcow2 -o {options} top.qcow2 x", "info x")),
        Into("-o preallocation=metadata", "qcow2", "convert -O qcow2 -o preallocation=metadata top.qcow2 x") with
        {
            Verdict = Verdict.Differs,
            Differs = DifferencePart.Map,
            Reason = "clusters are written whole, so that the file has smaller holes between data",
        },
        .. new[] { "preallocation=falloc", "preallocation=full" }.Select(options => Into($"-o {options}", "raw", $"convert -O raw -o {options} top.qcow2 x")),
        Into("-c", "qcow2", "convert -c -O qcow2 a.raw x") with { SameLayout = false, IgnoresDiskSize = true },
        Into("-c zstd", "qcow2", "convert -c -O qcow2 -o compression_type=zstd a.raw x", "info x") with { SameLayout = false, IgnoresDiskSize = true },
        Into("-c", "qcow", "convert -c -O qcow a.raw x") with { SameLayout = false, Verdict = Verdict.Better, Differs = DifferencePart.ExitCode, Reason = "it works; qemu-img 7.2 fails without a word" },
        Into("-c", "vmdk", "convert -c -O vmdk -o subformat=streamOptimized a.raw x") with { SameLayout = false },
        Into("subformat=streamOptimized", "vmdk", "convert -O vmdk -o subformat=streamOptimized a.raw x") with { SameLayout = false },
        .. new[] { "monolithicFlat", "twoGbMaxExtentSparse", "twoGbMaxExtentFlat" }.Select(subformat => new ConformanceCase
        {
            Command = "convert", Topic = $"subformat={subformat}", Format = "vmdk", Setup = Sources,
            Steps = [$"convert -O vmdk -o subformat={subformat} top.qcow2 x.vmdk"], Images = ["x.vmdk"],
        }),
        Into("-p -q", "raw", "convert -q a.raw x", "convert -qp a.raw x"),
        Into("-m", "qcow2", "convert -m 1 -O qcow2 a.raw x", "convert -m 16 -O qcow2 a.raw y"),
        Into("-W", "qcow2", "convert -m 16 -W -O qcow2 a.raw y") with { SameLayout = false },
        Into("-C", "raw", "convert -C a.raw x"),
        Into("-S 64k", "qcow2", "convert -S 64k -O qcow2 a.raw x"),
        Into("-S 512", "raw", "convert -S 512 a.raw x"),
        Into("cache modes", "qcow2", "convert -t none -T none -O qcow2 a.raw x", "convert -t directsync -T directsync -O qcow2 a.raw y", "convert -t writethrough -O qcow2 a.raw z", "convert -t writeback -O qcow2 a.raw w"),
        Into("-r", "raw", "convert -r 1G a.raw x"),
        Into("several sources", "qcow2", "convert -O qcow2 a.raw odd.raw top.qcow2 x", "convert -f raw -O qcow2 odd.raw empty.raw odd.raw y"),
        Into("-l", "qcow2", "convert -O qcow2 -l one top.qcow2 x", "convert -O qcow2 -l 2 top.qcow2 y", "convert -O raw -l snapshot.name=one top.qcow2 z", "convert -O raw -l snapshot.id=2,snapshot.name='two words' top.qcow2 w"),
        Steps("-l: errors", "qcow2", "convert -l nix top.qcow2 x", "convert -l snapshot.id=9 top.qcow2 x", "convert -l snapshot.foo=9 top.qcow2 x", "convert -l one top.qcow2 top.qcow2 x", "convert -l one a.raw x", "convert -l snapshot.id=1,snapshot.name=x top.qcow2 x"),
        Into("-B -F", "qcow2", "convert -O qcow2 -B base.qcow2 -F qcow2 top.qcow2 x", "info x", "convert -O qcow2 -o backing_file=base.qcow2,backing_fmt=qcow2 top.qcow2 y"),
        Steps("-B: errors", "qcow2", "convert -O qcow2 -B a.raw a.raw x", "convert -O qcow2 -B a.raw -F raw a.raw a.raw x", "convert -O raw -B a.raw -F raw a.raw x", "convert -O raw -F raw a.raw x", "convert -O qcow2 -F raw a.raw x",
            "convert -n -q a.raw nix", "convert -O qcow2 -B a.raw -F foo top.qcow2 x"),
        Into("-n", "qcow2", "create -q -f qcow2 x 5M", "convert -n -O qcow2 a.raw x"),
        Into("-n", "raw", "create -q -f raw x 6M", "convert -n -O raw a.raw x", "convert -n -O raw odd.raw x"),
        Into("-n --target-is-zero", "raw", "create -q -f raw x 5M", "convert -n --target-is-zero -O raw a.raw x"),
        Into("-n --target-image-opts", "qcow2", "create -q -f qcow2 x 5M", "convert -n --target-image-opts a.raw driver=qcow2,file.filename=x"),
        Steps("-n over a backing file", "qcow2", "create -q -f qcow2 -b base.qcow2 -F qcow2 x 5M", "convert -n -O qcow2 -B base.qcow2 top.qcow2 x", "compare top.qcow2 x"),
        Steps("-n: errors", "raw", "convert -n a.raw nix", "convert -n a.raw a.raw", "convert -n a.qcow2 odd.raw", "convert -n -O qcow2 a.raw odd.raw", "convert -n -O foo a.raw odd.raw"),
        Steps("target errors", "qcow2", "convert a.raw /nonexist/x", "convert -O qcow2 a.raw /nonexist/x", "convert -c a.raw x", "convert -c -O vdi a.raw x", "convert -O qcow2 -c -o preallocation=metadata a.raw x",
            "convert -O qcow2 -o cluster_size=3 a.raw x", "convert -O qcow2 -o foo=3 a.raw x", "convert foo:x y", "convert a.raw foo:x", "convert nix x", "convert -f qcow2 a.raw x", "convert a.raw ''"),
        Steps("data files that cannot be made", "qcow2", "convert -O qcow2 -o data_file=a.raw a.raw x", "convert -O qcow2 -o data_file=/nonexist/d a.raw x", "convert -O qcow2 -o data_file=/ a.raw x", "convert -O qcow2 -o data_file=/nonexist/d a.raw odd.raw", "convert -O qcow2 -o data_file=a.raw,preallocation=full a.raw empty.raw"),
        Steps("names that no file has", "qcow2", "convert -O qcow2 -o data_file= a.raw x", "create -f qcow2 -o data_file= x 1M", "convert -O qcow2 -o data_file=foo:x a.raw x", "convert -O qcow2 a.raw ''", "create -f qcow2 -o data_file=foo:x x 1M", "convert -O qcow2 -B '' -F raw a.raw foo:x"),
        Steps("-B: names that no file has", "qcow2", "convert -O qcow2 -B foo:x -F raw a.raw x", "convert -O qcow2 -B 'json:{' -F raw a.raw x") with
        {
            Verdict = Verdict.Better,
            Differs = DifferencePart.Files,
            Reason = "no file is left behind",
        },
        Steps("the image as its own data file", "qcow2", "convert -O qcow2 -o data_file=x a.raw x", "create -f qcow2 -o data_file=./x x 1M", "convert -O qcow2 -o data_file=odd.raw a.raw odd.raw") with
        {
            Verdict = Verdict.Better,
            Differs = DifferencePart.Errors,
            Reason = "the same refusal, without the line of qemu-img that the file is gone which it deletes a second time",
        },
        Into("-B: a backing file that cannot be opened, over a file that is there", "qcow2", "convert -O qcow2 -B nix -F raw a.raw x") with { Setup = [.. Sources, "cp odd.raw x"], Images = [] },
        Steps("-B: the target itself", "qcow2", "convert -O qcow2 -B odd.raw -F raw a.raw odd.raw") with
        {
            Images = [],
            Verdict = Verdict.Better,
            Differs = DifferencePart.Said,
            Reason = "refused, and the file stays as it is; qemu-img makes an image that stands on itself of it",
        },
        Steps("-c -n", "raw", "create -q -f raw r 5M", "create -q -f vdi v 5M", "create -q -f vmdk -o subformat=monolithicFlat f.vmdk 5M", "create -q -f qcow2 q 5M", "convert -c -n -O raw a.raw r", "convert -c -n -O vdi a.raw v", "convert -c -n -O vmdk a.raw f.vmdk", "convert -c -n -O qcow2 a.raw q", "compare a.raw q"),
        Steps("-c: flat images", "vmdk", "convert -c -O vmdk -o subformat=monolithicFlat a.raw f.vmdk") with { Verdict = Verdict.Better, Differs = DifferencePart.Files, Reason = "the same refusal; no file is left behind" },
        Into("-C: sources and targets", "raw", "convert -C top.qcow2 x", "convert -C a.raw odd.raw y") with { SameLayout = false },
        Into("-C: zeros that are data", "qcow2", "convert -C -f raw -O qcow2 zeros x", "convert -C -f raw -O qcow2 -o extended_l2=on zeros y", "convert -C -f raw -O qcow2 -o cluster_size=4k -B odd.raw -F raw zeros z", "convert -C -O qcow2 top.qcow2 w") with { Setup = [.. Sources, "dd if=/dev/zero of=zeros bs=1k count=300 status=none", "io raw zeros 'write -P 7 100k 50k'"] },
        Into("-C -n: zeros that are data", "qcow2", "create -q -f qcow2 x 5M", "create -q -f qcow2 -b a.raw -F raw y", "convert -C -n -f raw -O qcow2 zeros x", "convert -C -n -f raw -O qcow2 zeros y") with { Setup = [.. Sources, "dd if=/dev/zero of=zeros bs=1k count=300 status=none", "io raw zeros 'write -P 7 100k 50k'"] },
        Steps("-C: errors", "raw", "convert -C -c a.raw x", "convert -C -S 4k a.raw x", "convert -C --salvage a.raw x"),
        Into("-o size is not taken", "qcow2", "convert -O qcow2 -o size=3M a.raw x"),
        Steps("-o help", "qcow2", "convert -O qcow2 -o help a.raw", "convert -O qcow2 -o help", "convert -O raw -o help a.raw x", "convert -o help", "convert -O foo -o help"),
        Into("--image-opts", "raw", "convert --image-opts -O raw driver=raw,offset=1M,size=1M,file.filename=a.raw x", "convert -O raw 'json:{\"driver\":\"raw\",\"offset\":1048576,\"file.filename\":\"a.raw\"}' y"),
        Into("--salvage", "qcow2", "convert --salvage -O qcow2 top.qcow2 x"),
        Steps("--bitmaps: errors", "raw", "convert --bitmaps a.raw x", "convert --bitmaps a.raw a.raw x"),
    ];

    private static ConformanceCase Into(string topic, string format, params string[] steps)
    {
        // Every one-letter name is a target.
        string[] names = [.. steps.Where(static s => s.StartsWith("convert", StringComparison.Ordinal)).SelectMany(static s => s.Split(' ')).Where(static w => w is "x" or "y" or "z" or "w").Distinct()];
        return new()
        {
            Command = "convert",
            Topic = topic,
            Format = format,
            Setup = Sources,
            Steps = steps,
            Images = [.. names.Select(n => $"{n}:{(n is "z" or "w" && topic == "-l" ? "raw" : format)}")],

            // qed's tables and clusters are handed out in another order.
            SameLayout = format != "qed",
            IgnoresDiskSize = true,
        };
    }

    private static ConformanceCase Steps(string topic, string format, params string[] steps) =>
        new() { Command = "convert", Topic = topic, Format = format, Setup = Sources, Steps = steps };
}
