namespace ImageCluster.Conformance.Cases;

/// <summary>resize, snapshot, measure, dd, bench and bitmap.</summary>
internal static class ToolCases
{
    private static readonly string[] Images =
    [
        "img create -q -f qcow2 a.qcow2 4M",
        "io qcow2 a.qcow2 'write -P 1 0 1M' 'write -P 2 3M 512k'",
        "img convert -O raw a.qcow2 a.raw",
        "img create -q -f qcow2 -b a.qcow2 -F qcow2 short.qcow2 2M",
        "img create -q -f qcow2 s.qcow2 4M",
        "io qcow2 s.qcow2 'write -P 1 0 1M'",
        "img snapshot -c one s.qcow2",
        "io qcow2 s.qcow2 'write -P 2 512k 1M'",
        "img snapshot -c 'two words' s.qcow2",
        "img create -q -f vmdk v.vmdk 4M",
    ];

    public static IReadOnlyList<ConformanceCase> List { get; } =
    [
        Make("resize", "grow and shrink", "raw", "resize -f raw a.raw 6M", "resize -f raw a.raw +1M", "resize -q -f raw --shrink a.raw 3M", "resize -f raw --shrink a.raw -1M", "resize a.raw +512") with { Images = ["a.raw:raw"] },
        Make("resize", "--preallocation", "raw", "resize -f raw --preallocation=falloc a.raw 6M", "resize -f raw --preallocation=full a.raw 7M", "resize -f raw --preallocation=metadata a.raw 8M", "resize -f raw --preallocation=full --shrink a.raw 1M"),
        Make("resize", "grow and shrink", "qcow2", "resize a.qcow2 6M", "resize a.qcow2 +1G", "resize -q --shrink a.qcow2 2M", "resize --shrink a.qcow2 -512k", "resize a.qcow2 3M", "info a.qcow2") with { Images = ["a.qcow2"] },
        Make("resize", "--preallocation", "qcow2", "resize --preallocation=metadata a.qcow2 6M", "resize --preallocation=falloc a.qcow2 7M", "resize --preallocation=full a.qcow2 8M") with { Images = ["a.qcow2"], SameLayout = false },
        Make("resize", "over a longer backing file", "qcow2", "resize short.qcow2 4M", "resize short.qcow2 5M") with { Images = ["short.qcow2"] },
        Make("resize", "cut within a cluster, and grown", "qcow2", "resize -q --shrink a.qcow2 513536", "resize -q a.qcow2 4M") with
        {
            Images = ["a.qcow2"],
            Verdict = Verdict.Better,
            Differs = DifferencePart.Content,
            Reason = "what is added reads as zeros; with qemu-img 7.2 what the last cluster held behind the end comes back",
        },
        Make("bench", "writes that share clusters", "qcow2", "bench -w -c 300 -o 512 -s 3k --pattern=9 short.qcow2", "bench -w -c 300 -o 1M -s 1k -S 3k --pattern=8 a.qcow2") with { Images = ["short.qcow2", "a.qcow2"], SameLayout = false },
        Make("resize", "with snapshots", "qcow2", "resize s.qcow2 6M", "resize --shrink s.qcow2 1M", "snapshot -l s.qcow2") with { Images = ["s.qcow2"] },
        Make("resize", "errors", "qcow2", "resize a.qcow2 1M", "resize --shrink a.qcow2 1", "resize a.qcow2 +1", "resize a.qcow2 7E", "resize --preallocation=full --shrink a.qcow2 1M"),
        Make("snapshot", "-c -a -d", "qcow2", "snapshot -c new a.qcow2", "snapshot -a one s.qcow2", "snapshot -d one s.qcow2", "snapshot -a 2 s.qcow2", "snapshot -d 'two words' s.qcow2", "snapshot -l s.qcow2") with { Images = ["a.qcow2", "s.qcow2"] },
        Make("snapshot", "-d keeps the rest", "qcow2", "snapshot -d 'two words' s.qcow2", "snapshot -l s.qcow2", "convert -O raw -l one s.qcow2 x", "snapshot -d one s.qcow2", "info s.qcow2") with { Images = ["s.qcow2", "x:raw"] },
        Make("resize", "errors", "raw", "resize", "resize x", "resize nix 1M", "resize -f raw a.raw foo", "resize -f raw a.raw +foo", "resize -f raw a.raw -100G", "resize -f raw a.raw 1M", "resize --preallocation=foo a.raw 1M", "resize a.raw b.raw 5M",
            "resize a.raw -5M -f", "resize -f raw a.raw ''", "resize -f raw a.raw -", "resize -f raw a.raw +9E", "resize v.vmdk 20M",
            "resize -f raw /dev/null 1M", "resize --shrink -f raw /dev/zero 1M", "resize --image-opts driver=raw,size=64k,file.filename=a.raw 1M", "resize --image-opts driver=raw,offset=64k,size=64k,file.filename=a.raw 1M", "resize -f raw a.raw 1P", "resize -f raw a.raw 7E"),
        Make("snapshot", "-l", "qcow2", "snapshot s.qcow2", "snapshot -l s.qcow2", "snapshot -l a.qcow2", "snapshot -U -l s.qcow2", "snapshot -q -l s.qcow2", "snapshot -l a.raw", "snapshot --image-opts -l driver=qcow2,file.filename=s.qcow2"),
        Make("snapshot", "errors", "qcow2", "snapshot", "snapshot a b", "snapshot -l -c x s.qcow2", "snapshot -c x -d y s.qcow2", "snapshot -a nix s.qcow2", "snapshot -d nix s.qcow2", "snapshot -d 1 s.qcow2", "snapshot -l nix", "snapshot -U -c x s.qcow2", "snapshot -f qcow2 -l s.qcow2",
            "snapshot -c x v.vmdk", "snapshot -a x v.vmdk", "snapshot -d x v.vmdk"),
        Make("measure", "--size", "raw", "measure --size 1G", "measure --size 1000", "measure --output=json --size 1G", "measure -O raw a.qcow2"),
        .. new[] { "", "-o cluster_size=512", "-o cluster_size=2M", "-o preallocation=full", "-o preallocation=metadata", "-o extended_l2=on", "-o refcount_bits=1", "-o compat=0.10", "-o data_file=x" }
            .Select(options => Make("measure", $"--size {options}", "qcow2", $"measure -O qcow2 {options} --size 0", $"measure -O qcow2 {options} --size 1000", $"measure -O qcow2 {options} --size 100G", $"measure -O qcow2 --output=json {options} --size 1T")),
        Make("measure", "from an image", "qcow2", "measure -O qcow2 -f raw a.raw", "measure -O qcow2 -o backing_file=x,backing_fmt=raw -f raw a.raw", "measure -O qcow2 --image-opts driver=raw,file.filename=a.raw", "measure -O qcow2 -U -f raw a.raw"),
        Make("measure", "errors", "qcow2", "measure a b", "measure", "measure --size 1G a.raw", "measure --size x", "measure --size 1G -f raw", "measure --size 1G -O foo", "measure --size 1G -O vmdk", "measure -O qcow2 -o cluster_size=3 --size 1G", "measure -O qcow2 -o foo=3 --size 1G",
            "measure -O qcow2 -l nix s.qcow2", "measure -O qcow2 nix", "measure --output=foo --size 1G", "measure -O qcow2 --size 7E", "measure -O qcow2 -o , --size 1G"),
        Make("dd", "bs count skip", "raw", "dd if=a.qcow2 of=x bs=1M", "dd -f raw -O raw if=a.raw of=y bs=1000 count=3", "dd if=a.qcow2 of=z bs=1M skip=3", "dd if=a.qcow2 of=w bs=64k count=0", "dd bs=1M skip=100G if=a.qcow2 of=v") with
        {
            Images = ["x:raw", "y:raw", "z:raw"],
        },
        Make("dd", "into another format", "qcow2", "dd -O qcow2 if=a.qcow2 of=x bs=1M") with { Images = ["x"] },
        Make("dd", "count with skip", "raw", "dd if=a.qcow2 of=x bs=1M count=2 skip=1", "info x") with { Verdict = Verdict.Better, Differs = DifferencePart.Output, Reason = "count blocks are copied; qemu-img 7.2 takes skip off the count" },
        Make("dd", "errors", "raw", "dd", "dd if=a.raw", "dd of=x", "dd if=nix of=x", "dd if=a.qcow2 of=x foo", "dd if=a.qcow2 of=x foo=3", "dd if=a.qcow2 of=x bs=0", "dd if=a.qcow2 of=x bs=x", "dd if=a.qcow2 of=x bs=3G", "dd if=a.qcow2 of=x count=x",
            "dd if=a.qcow2 of=x skip=x", "dd -O foo if=a.raw of=y", "dd -f foo if=a.raw of=y", "dd -f raw if=a.raw of=/nonexist/y", "dd -n if=a.raw of=y", "dd if=a.raw of=y conv=notrunc"),
        Make("bench", "requests", "qcow2", "bench -c 10 a.qcow2", "bench -c 10 -d 3 -s 1000 -S 3k -o 512 a.qcow2", "bench -c 10 -d 3 -w --pattern=3 --flush-interval=3 a.qcow2", "bench -c 0 a.qcow2", "bench -c 4 -s 3M a.qcow2", "bench -c 1 -o 100G a.qcow2"),
        Make("bench", "errors", "qcow2", "bench", "bench a b", "bench nix", "bench -c x a.qcow2", "bench -d x a.qcow2", "bench -o x a.qcow2", "bench -s x a.qcow2", "bench -s 3G a.qcow2", "bench -S x a.qcow2", "bench --pattern=300 -w a.qcow2", "bench -i foo a.qcow2", "bench -i native a.qcow2",
            "bench -n -c 10 a.qcow2", "bench -t foo a.qcow2", "bench -w -U a.qcow2", "bench --flush-interval=2 a.qcow2", "bench -c 10 -d 3 -w --flush-interval=2 a.qcow2", "bench --flush-interval=x -w a.qcow2"),
        Make("bench", "what is wrong first", "raw", "bench -d 0 -c 0 a.raw", "bench -d 0 nix", "bench -d 0 a b", "bench -d 0 --flush-interval=3 a.raw", "bench -n nix", "bench -n -f raw nix", "bench -w -n /", "bench -n /", "bench -n a.raw", "bench -i native -f raw -t writethrough a.raw", "bench -n -t none nix",
            "info --image-opts driver=raw,file.aio=native,file.filename=nix", "info --image-opts driver=file,aio=native,filename=nix", "info --image-opts driver=file,aio=native,filename=a.raw", "info --image-opts driver=raw,file.aio=native,file.locking=x,file.filename=nix"),
        Make("bitmap", "usage", "qcow2", "bitmap", "bitmap a.qcow2 b0", "bitmap --add a.qcow2", "bitmap --add a.qcow2 b0 x", "bitmap -g x --add a.qcow2 b", "bitmap -g 64k --clear a.qcow2 b", "bitmap -F x --clear a.qcow2 b", "bitmap -b x --clear a.qcow2 b", "bitmap -b y -F x --clear a b",
            "bitmap --add nix x", "bitmap -U --add a.qcow2 b", "bitmap --add -f foo a.qcow2 b", "bitmap --remove a.qcow2 nix", "bitmap --add -f raw a.raw x"),
    ];

    private static ConformanceCase Make(string command, string topic, string format, params string[] steps) =>
        new() { Command = command, Topic = topic.TrimEnd(), Format = format, Setup = Images, Steps = steps, IgnoresDiskSize = true };
}
