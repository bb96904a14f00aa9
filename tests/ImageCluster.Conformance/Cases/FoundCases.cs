namespace ImageCluster.Conformance.Cases;

/// <summary>What sequences and walks by lot have found, each as the shortest case that shows it.</summary>
internal static class FoundCases
{
    private const string Key = "--object secret,id=s,data=abc";
    private const string Locked = "driver=qcow2,file.filename=e.qcow2,encrypt.key-secret=s";

    private static readonly string[] Encrypted =
    [
        "img create -q -f qcow2 a.qcow2 1M", "io qcow2 a.qcow2 'write -P 1 0 300k'",
        $"img create -q {Key} -f qcow2 -o encrypt.format=aes,encrypt.key-secret=s,backing_file=a.qcow2,backing_fmt=qcow2 e.qcow2 1000k",
    ];

    private static readonly string[] DataFile =
    [
        "img create -q -f qcow2 -o data_file=d.raw,data_file_raw=on d.qcow2 1M", "img create -q -f raw b.raw 1M",
    ];

    private static readonly string[] Stream =
    [
        "img create -q -f vmdk -o subformat=streamOptimized x.vmdk 1M", "io vmdk x.vmdk 'write -P 1 0 64k'",
    ];

    // Of a cluster that is in use some parts are not, and the backing file is shorter.
    private static readonly string[] PartlyUsed =
    [
        "img create -q -f raw b.raw 64k", $"img create -q {Key} -f qcow2 -o encrypt.format=aes,encrypt.key-secret=s,extended_l2=on,backing_file=b.raw,backing_fmt=raw e.qcow2 1M",
        $"qemu-io {Key} --image-opts -c 'write -P 1 200k 8k' {Locked}",
    ];

    private static readonly string[] ZeroOverData =
    [
        "img create -q -f qed b.qed 1M", "io qed b.qed 'write -P 7 0 1M'", "img create -q -f qed -b b.qed -F qed x.qed", "io qed x.qed 'write -z 0 64k'",
    ];

    private static readonly string[] Chain =
    [
        "img create -q -f qcow2 a.qcow2 1M", "io qcow2 a.qcow2 'write -P 1 0 300k'", "img create -q -f qcow2 -b a.qcow2 -F qcow2 b.qcow2", "io qcow2 b.qcow2 'write -P 2 200k 64k'",
        "img create -q -f qcow2 -b b.qcow2 -F qcow2 c.qcow2", "img create -q -f vmdk a.vmdk 1M", "img create -q -f raw r.raw 1M", "img create -q -f qcow2 m.qcow2 1M", "img bitmap --add m.qcow2 b", "img create -q -f raw r.vhdx 1M", "sample bochs x.bochs", "sh -c 'yes | head -c 1M > yes.raw'",
    ];

    // The same image twice, and the names under which both are one.
    private static readonly string[] Twice = ["img create -q -f qcow2 b.qcow2 1M", "io qcow2 b.qcow2 'write -P 1 0 64k'", "img create -q -f qcow2 -b b.qcow2 -F qcow2 t.qcow2", "cp t.qcow2 u.qcow2"];

    private const string Voted = "driver=qcow2,file.driver=quorum,file.vote-threshold=1,file.children.0.driver=file,file.children.0.filename=t.qcow2,file.children.1.driver=file,file.children.1.filename=u.qcow2";
    private const string Verified = "driver=qcow2,file.driver=blkverify,file.test.driver=file,file.test.filename=t.qcow2,file.raw.driver=file,file.raw.filename=u.qcow2";

    // A raw data file that is longer than the disk.
    private static readonly string[] LongDataFile =
    [
        "img create -q -f qcow2 -o data_file=d.raw,data_file_raw=on d.qcow2 1M", "io qcow2 d.qcow2 'write -P 1 0 1M'", "truncate -s 3M d.raw", "io raw d.raw 'write -P 2 1M 2M'",
    ];

    private static readonly string[] Blocks =
    [
        "img create -q -f qcow2 -o cluster_size=512,refcount_bits=64 small.qcow2 3M", "io qcow2 small.qcow2 'write -P 1 0 3M'", "img create -q -f qcow2 -o cluster_size=1k,refcount_bits=1 thin.qcow2 64M", "io qcow2 thin.qcow2 'write -P 1 30M 3M' 'write -P 2 0 1M'",
        "img create -q -f qcow2 high.qcow2 64M", Poke("high.qcow2", 65544, @"\000\377\377\377\000\000\000\000"),
        "img create -q -f qcow2 bare.qcow2 64M", "truncate -s 65G bare.qcow2", Poke("bare.qcow2", 65544, @"\000\000\000\020\000\000\000\000"),
        "img create -q -f qcow2 odd.qcow2 64M", "truncate -s 65G odd.qcow2", Poke("odd.qcow2", 65544, @"\000\000\000\020\000\000\000\000\000\000\000\000\000\000\002\000"),
    ];

    private static readonly string[] DataNodes =
    [
        "img create -q -f qcow2 -o data_file=d.raw d.qcow2 1M", "io qcow2 d.qcow2 'write -P 3 0 100k'", "truncate -s 1M d.raw", "cp d.raw e.raw", "img convert -f raw -O qcow2 e.raw e.qcow2", "img create -q -f qcow2 n.qcow2 1M",
    ];

    private static readonly string[] Elsewhere =
    [
        "mkdir sub", "img create -q -f qcow2 -o data_file=sub/d.raw sub/t.qcow2 1M", "io qcow2 sub/t.qcow2 'write -P 3 0 100k'", "sh -c 'cd sub && /usr/bin/qemu-img create -q -f qcow2 -o data_file=e.raw e.qcow2 1M'",
        "img create -q -f qcow2 -o data_file=two.raw sub/two.qcow2 1M", "io qcow2 sub/two.qcow2 'write -P 4 0 64k'", "cp two.raw sub/two.raw", "img create -q -f qcow2 -o data_file=gone.raw nowhere.qcow2 1M", "rm gone.raw",
    ];

    private static readonly string[] DataFileOptions =
    [
        "filename=e.raw", "driver=raw,data-file.file.filename=e.raw", "driver=qcow2,data-file.file.filename=e.qcow2", "driver=qcow2,data-file.file.filename=e.raw", "driver=blkdebug,data-file.image.filename=e.raw", "driver=raw,data-file.offset=0,data-file.file.filename=e.raw",
        "driver=null-co,data-file.size=1M", "driver=foo", "driver=file", "driver=raw", "file.filename=e.raw", "foo=1", "filename=", "filename=nix", "filename=nbd:unix:e.raw", "filename=e.raw,data-file.foo=1", "filename=e.raw,data-file.node-name=x",
        "filename=e.raw,data-file.locking=x", "driver=throttle,data-file.file.filename=e.raw", "driver=raw,data-file.file.filename=nix",
    ];

    public static IReadOnlyList<ConformanceCase> List { get; } =
    [
        Make("rebase", "a relative name where the image's own is json:", "qcow2", Encrypted, $"rebase {Key} --image-opts -b a.qcow2 -F qcow2 {Locked}", $"rebase {Key} --image-opts -u -b a.qcow2 -F qcow2 {Locked}"),
        Make("resize", "--preallocation=falloc, encrypted", "qcow2", Encrypted, $"resize {Key} --image-opts --preallocation=falloc {Locked} 2M", $"convert {Key} --image-opts -O raw {Locked} x.raw") with
        {
            Images = ["x.raw:raw"],
            Verdict = Verdict.Better,
            Differs = DifferencePart.Content,
            Reason = "what is added reads as zeros, as it does without preallocation; with qemu-img 7.2 the guest finds what zeros decrypt to",
        },
        Make("rebase", "a raw data file", "qcow2", DataFile, "rebase -b b.raw -F raw d.qcow2", "rebase -u -b b.raw -F raw d.qcow2", "rebase -b '' d.qcow2", "info d.qcow2"),
        Make("snapshot", "an external data file", "qcow2", DataFile, "snapshot -c one d.qcow2", "snapshot -a one d.qcow2", "snapshot -d one d.qcow2", "snapshot -l d.qcow2"),
        Make("bench", "parts of a stream's grains", "vmdk", Stream, "bench -w -c 1 -o 128k -s 4k x.vmdk", "bench -w -c 1 -o 4k -s 4k x.vmdk", "bench -w -c 1 -o 0 -s 64k x.vmdk", "bench -w -q -c 1 -o 128k -s 64k --pattern=3 x.vmdk") with
        {
            Images = ["x.vmdk"],
        },
        Make("map", "encrypted clusters of which a part is used", "qcow2", PartlyUsed, $"map {Key} --image-opts --output=json {Locked}"),
        Make("bench", "a part of a zero cluster over data", "qed", ZeroOverData, "bench -q -w -c 1 -o 1k -s 512 x.qed") with
        {
            Images = ["x.qed"],
            Verdict = Verdict.Better,
            Differs = DifferencePart.Said | DifferencePart.Content,
            Reason = "the rest of the cluster stays zero; with qemu-img 7.2 the backing file's data comes back",
        },
        Make("rebase", "-F another format than that of the chain", "qcow2", Chain, "rebase -b a.qcow2 -F vmdk c.qcow2", "info c.qcow2"),
        Make("rebase", "-u without -b, where names cannot be changed", "vmdk", Chain, "rebase -u a.vmdk", "rebase -u -b '' a.vmdk", "rebase -u -f raw r.raw"),
        Make("snapshot", "-a of what has no snapshots", "", Chain, "snapshot -a x r.raw", "snapshot -a x a.vmdk", "snapshot -a x m.qcow2", "snapshot -a x a.qcow2", "snapshot -d x r.raw"),
        Make("convert", "-n -B: a format that does not tell what it holds", "", Chain, "convert -n -B '' -F raw x.bochs yes.raw") with { Images = ["yes.raw:raw"] },
        Make("map", "options of the backing file without its name", "qcow2", Chain, "map --image-opts driver=qcow2,file.filename=b.qcow2,backing.file.locking=off", "map --image-opts driver=qcow2,file.filename=b.qcow2,backing.file.driver=file",
            "map --image-opts driver=qcow2,file.filename=b.qcow2,backing.driver=qcow2,backing.file.read-only=on", "map --image-opts driver=qcow2,file.filename=b.qcow2,backing.file.foo=1", "map --image-opts driver=qcow2,file.filename=b.qcow2,backing.file.driver=foo",
            "map --image-opts driver=qcow2,file.filename=b.qcow2,backing.driver=raw,backing.file.locking=off"),
        Make("info", "-f vhdx of another file", "vhdx", Chain, "info -f vhdx file:r.vhdx", "info -f vhdx r.vhdx"),
        Make("create", "sizes from 2^63 on", "", Chain, "create -f raw x 9223372036854775807", "create -f raw x 9223372036854775296", "create -f raw -o size=9223372036854775808 x", "create -f qcow2 x 9223372036854775807",
            "create -f qcow2 -o size=15.5E x", "create -f qcow2 -o size=18446744073709551615 x", "create -f vdi -o size=9223372036854775808 x", "create -f vpc -o size=15E x", "create -f vhdx -o size=15E x", "create -f qed -o size=15E x",
            "create -f parallels -o size=15E x", "create -f qcow2 -o cluster_size=15E x 1M", "create -f vhdx -o log_size=15E x 1M", "create -f parallels -o cluster_size=15E x 1M", "create -f qed -o cluster_size=15E x 1M", "create -f raw -o extent_size_hint=15E x 1M",
            "resize a.qcow2 9223372036854775807", "create -f qcow2 -o size=15E,size=1M y"),
        .. new[] { Voted, Verified }.Select(static node => Make("info", $"a relative name beside several files at once: {(node == Voted ? "quorum" : "blkverify")}", "qcow2", Twice, $"info --image-opts {node}", $"info --output=json --image-opts {node}", $"info --backing-chain --image-opts {node}",
            $"map --image-opts {node}", $"check --image-opts {node}", $"convert -O raw --image-opts {node} x", $"commit --image-opts {node}", $"resize --image-opts {node} 2M", $"rebase -b b.qcow2 -F qcow2 --image-opts {node}", $"map --image-opts {node},backing.driver=qcow2,backing.file.filename=b.qcow2", $"rebase -u -b '' --image-opts {node}")),
        Make("info", "-U where an option says otherwise", "", Twice, "info -U --image-opts driver=qcow2,file.filename=b.qcow2,force-share=off", "info -U --image-opts driver=null-co,force-share=on", "map -U --image-opts driver=null-co,force-share=x", "compare -U --image-opts driver=null-co,force-share=off driver=null-co",
            "convert -U --image-opts -O raw driver=null-co,force-share=no x", "check -U --image-opts driver=qcow2,file.filename=nix,force-share=off", "info -U 'json:{\"driver\": \"null-co\", \"force-share\": false}'", "snapshot -U -l --image-opts driver=qcow2,file.filename=b.qcow2,force-share=off", "measure -U --image-opts driver=qcow2,file.filename=b.qcow2,force-share=off"),
        Make("info", "the name of a filter over what has no options", "", Twice, "info --image-opts driver=blkdebug,image.driver=null-co", "info --image-opts driver=blkdebug,image.driver=null-co,image.size=1M", "info --image-opts driver=raw,file.driver=blkdebug,file.image.driver=null-aio"),
        .. new[] { "nbd://localhost:1/x", "file:d.raw", "foo:bar", "http://localhost:1/x" }.Select(static name => Make("map", $"a data file whose name looks like a protocol's: {name.Split(':')[0]}", "qcow2", ["img create -q -f qcow2 -o data_file=d.raw d.qcow2 1M", $"img amend -f qcow2 -o data_file={name} d.qcow2"],
            "map d.qcow2", "info d.qcow2", "convert d.qcow2 x", "check d.qcow2")),
        Make("resize", "--preallocation=metadata, extended L2", "qcow2", ["img create -q -f qcow2 -o extended_l2=on,cluster_size=128k x.qcow2 4M"], "resize --preallocation=metadata x.qcow2 6M", "check x.qcow2") with
        {
            Images = ["x.qcow2"],
            Verdict = Verdict.Differs,
            Differs = DifferencePart.Map,
            Reason = "the room that is added is the guest's at once, a hole in the file; qemu-img leaves its subclusters absent, so that a backing file would be asked",
        },
        Make("convert", "-c: an external data file", "qcow2", ["img create -q -f raw r.raw 1M", "io raw r.raw 'write -P 1 0 300k'"], "convert -c -f raw -O qcow2 -o data_file=d r.raw x.qcow2") with
        {
            Verdict = Verdict.Better,
            Differs = DifferencePart.Errors | DifferencePart.Files,
            Reason = "says why, and leaves no files behind; qemu-img says that a write at byte 0 is not supported",
        },
        Make("info", "a line's end in a name", "", [], "info 'a\nb'", "info -f foo 'a\n'", "info 'json:{\"driver\": \"raw\",\n\"file\": {\"driver\": \"file\", \"filename\": \"nix\"}}'", "create -f raw 'nix\n/x' 1M", "convert 'a\nb' x", "map --start-offset='1\n' x", "measure --size='x\n' -O raw", "convert -l 'snapshot.foo=\n' a x"),
        Make("resize", "a raw data file that is longer already", "qcow2", LongDataFile, "resize d.qcow2 1536k", "resize d.qcow2 2M") with { Images = ["d.qcow2", "d.raw:raw"] },
        Make("map", "the name of a data file, from the working directory", "qcow2", Elsewhere, "map sub/t.qcow2", "convert -O raw sub/t.qcow2 x.raw", "create -f qcow2 -o data_file=sub/n.raw sub/n.qcow2 1M", "info sub/n.qcow2", "check sub/n.qcow2", "create -f qcow2 -b sub/t.qcow2 -F qcow2 over.qcow2", "map over.qcow2", "map sub/two.qcow2",
            "map nowhere.qcow2", "info nowhere.qcow2", "bench -q -w -c 1 -s 4k sub/t.qcow2", "resize sub/t.qcow2 2M") with { Images = ["x.raw:raw"] },
        Make("convert", "a data file beside the image", "qcow2", Elsewhere, "convert -O raw sub/e.qcow2 x.raw") with
        {
            Verdict = Verdict.Better,
            Differs = DifferencePart.Said | DifferencePart.Files,
            Reason = "where the working directory has no file of that name it is found beside the image; qemu-img 7.2 looks nowhere else",
        },
        Make("snapshot", "a cluster that no refcount block describes", "qcow2", ["img create -q -f qcow2 a.qcow2 64M", "io qcow2 a.qcow2 'write 0 512'", Poke("a.qcow2", 0x40000, @"\200\000\000\377\377\377\000\000"), "img create -q -f qcow2 far.qcow2 64M", "io qcow2 far.qcow2 'write 0 512'", Poke("far.qcow2", 0x40000, @"\277\377\377\377\377\377\000\000")], "snapshot -c one a.qcow2", "snapshot -l a.qcow2", "snapshot -c one far.qcow2", "snapshot -l far.qcow2"),
        .. new[] { "info", "map", "check", "compare", "convert -O raw", "bench -q -w -c 1 -s 4k -o 512k" }.Select(static command => Make(command.Split(' ')[0], "data files that options describe", "qcow2", DataNodes,
            [.. DataFileOptions.Where(options => !command.StartsWith("bench", StringComparison.Ordinal) || !options.Contains("null", StringComparison.Ordinal)).Select(options => $"{command} --image-opts driver=qcow2,file.filename=d.qcow2,data-file.{options}{(command == "compare" ? " driver=raw,file.filename=e.raw" : command.StartsWith("convert", StringComparison.Ordinal) ? " x" : "")}")]) with
        {
            Images = ["e.raw:raw"],
        }),
        Make("map", "a data file for what has none", "", DataNodes, [.. DataFileOptions.SelectMany(static options => new[] { $"map --image-opts driver=qcow2,file.filename=n.qcow2,data-file.{options}", $"map --image-opts driver=raw,file.filename=e.raw,data-file.{options}", $"map --image-opts file.filename=e.raw,data-file.{options}" })]),
        Make("resize", "--shrink: refcount blocks that count nothing any more", "qcow2", Blocks, "resize --shrink small.qcow2 1M", "check small.qcow2", "resize small.qcow2 4M", "bench -q -w -c 40 -s 4k small.qcow2", "resize --shrink thin.qcow2 2M", "check thin.qcow2", "resize --shrink thin.qcow2 0", "check thin.qcow2") with
        {
            Images = ["small.qcow2", "thin.qcow2"],
        },
        Make("resize", "--shrink: refcount blocks where none can be", "qcow2", Blocks, "resize --shrink high.qcow2 32M", "info high.qcow2", "resize --shrink bare.qcow2 32M", "info bare.qcow2", "resize --shrink odd.qcow2 32M", "info odd.qcow2"),
        .. new[] { "metadata", "falloc", "full" }.Select(static mode => Make("resize", $"--preallocation={mode}, a raw data file that is longer already", "qcow2", LongDataFile, $"resize --preallocation={mode} d.qcow2 1984k") with { Images = ["d.qcow2", "d.raw:raw"] }),
        Make("amend", "a size, and a version that is refused", "qcow2", ["img create -q -f qcow2 s.qcow2 2M", "img snapshot -c one s.qcow2", "img resize -q s.qcow2 4M"], "amend -o compat=0.10,size=1M s.qcow2", "info s.qcow2") with
        {
            Verdict = Verdict.Better,
            Differs = DifferencePart.Output,
            Reason = "what is refused changes nothing; qemu-img 7.2 cuts the disk first",
        },
        Make("create", "a size that nobody can open", "qcow", [], "create -f qcow x 9223372036854775807", "create -f qcow -o size=15E x") with
        {
            Verdict = Verdict.Better,
            Differs = DifferencePart.Said | DifferencePart.Files,
            Reason = "it is refused; qemu-img 7.2 makes an image that it then finds too large to open",
        },
    ];

    private static string Poke(string file, int offset, string octal) => $"sh -c 'printf \"{octal}\" | dd of={file} bs=1 seek={offset} conv=notrunc status=none'";

    private static ConformanceCase Make(string command, string topic, string format, string[] setup, params string[] steps) =>
        new() { Command = command, Topic = topic, Format = format, Setup = setup, Steps = steps, IgnoresDiskSize = true, SameLayout = false };
}
