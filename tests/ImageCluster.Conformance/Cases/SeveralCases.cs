namespace ImageCluster.Conformance.Cases;

/// <summary>blkverify and quorum: drivers that stand over several images that are to hold the same.</summary>
internal static class SeveralCases
{
    private static readonly string[] Images =
    [
        "img create -q -f qcow2 a.qcow2 1M",
        "io qcow2 a.qcow2 'write -P 1 0 128k' 'write -P 3 512k 64k'",
        "img convert -O raw a.qcow2 a.raw",
        "cp a.raw b.raw",
        "cp a.raw c.raw",
        "cp a.raw bad.raw",
        "io raw bad.raw 'write -P 9 40k 3k'",
        "img create -q -f qcow2 -b a.qcow2 -F qcow2 top.qcow2",
        "truncate -s 2M long.raw",
    ];

    private static readonly string Three = Quorum(2, File("a.raw"), File("b.raw"), File("c.raw"));
    private static readonly string OutvotesBad = Quorum(2, File("a.raw"), File("bad.raw"), File("c.raw"));

    public static IReadOnlyList<ConformanceCase> List { get; } =
    [
        Make("info", "blkverify: names", [.. new[]
        {
            "blkverify:a.raw:a.qcow2", "blkverify:a.raw:bad.raw", "-f blkverify a.raw", "blkverify:a.raw", "blkverify:nix:a.raw", "blkverify:a.raw:nix", "blkverify:a.raw:file:b.raw", "blkverify:a.raw:foo:1", "-f raw blkverify:a.raw:a.qcow2",
            "blkverify:a.raw:blkverify:b.raw:c.raw", "-f qcow2 blkverify:a.raw:a.qcow2", "-f blkverify blkverify:a.raw:a.qcow2", "--output=json -f blkverify blkverify:a.raw:a.qcow2", "blkverify:a.raw:long.raw",
        }.Select(static rest => "info " + rest)]),
        Make("info", "blkverify: options", [.. new[]
        {
            "", ",raw.driver=file,raw.filename=a.raw", ",test.driver=file,test.filename=a.raw", ",raw.filename=a.raw,test.filename=b.raw", ",raw.filename=a.raw,test.file.filename=a.qcow2", ",raw.file.filename=a.raw,test.file.filename=a.qcow2",
            ",raw.filename=a.raw,test.driver=file,test.filename=b.raw,foo=1", ",raw.filename=a.raw,test.driver=raw,test.file.filename=b.raw,test.offset=512", ",raw.filename=a.raw,test=b.raw",
        }.Select(static options => $"info --image-opts driver=blkverify{options}")]),
        Make("map", "blkverify", "map --output=json blkverify:a.raw:a.qcow2", "map blkverify:a.raw:a.qcow2", "map -f raw blkverify:a.raw:b.raw"),
        Make("compare", "blkverify", "compare blkverify:a.raw:a.qcow2 b.raw", "compare -s blkverify:a.raw:top.qcow2 b.raw"),
        Make("convert", "blkverify", "convert -O qcow2 blkverify:a.raw:b.raw x", "convert -O raw blkverify:a.raw:top.qcow2 y", "dd if=blkverify:a.raw:a.qcow2 of=z bs=64k", "measure -O qcow2 blkverify:a.raw:a.qcow2", "check blkverify:a.raw:a.qcow2"),
        Make("convert", "blkverify: images that differ", "convert -O raw blkverify:a.raw:bad.raw x", "convert --salvage -O raw blkverify:a.raw:bad.raw x"),
        Make("bench", "blkverify: images that differ", "bench -c 1 -d 1 -s 4096 -o 40960 -f raw blkverify:a.raw:bad.raw"),
        Make("bench", "blkverify: writes", "bench -w -c 2 -d 1 -f raw blkverify:a.raw:a.qcow2", "compare a.raw a.qcow2", "compare a.raw b.raw"),
        Make("create", "vmdk over an image that json: names", "create -q -f vmdk p.vmdk 1M", "create -f vmdk -b \"json:{'driver': 'vmdk', 'file': {'driver': 'file', 'filename': 'p.vmdk'}}\" -F vmdk c.vmdk", "check c.vmdk", "map --output=json c.vmdk",
            "create -f vmdk -b 'json:{\"driver\": \"raw\", \"file\": {\"driver\": \"file\", \"filename\": \"a.raw\"}}' -F raw d.vmdk", "create -q -f vmdk -o subformat=monolithicFlat file:v:1 1M", "check ./v:1"),
        Make("resize", "blkverify: of the copy alone", "resize -f raw blkverify:a.raw:a.qcow2 2M", "resize -f raw --shrink blkverify:a.raw:a.qcow2 512k"),
        Make("create", "blkverify", "create -f qcow2 blkverify:a.raw:b.raw 1M", "create -f raw blkverify:a.raw:b.raw 1M", "create -f qcow2 -b blkverify:a.raw:b.raw -F raw new", "info --backing-chain new", "convert new x", "create -f qcow2 -b blkverify:a.raw:b.raw -F blkverify other"),
        Make("bench", "blkverify: a child that fails", [.. Failing("event=none")
            .SelectMany(static rules => new[] { $"{rules("raw")},test.driver=file,test.filename=b.raw", $"{rules("test")},raw.driver=file,raw.filename=b.raw", })
            .SelectMany(static options => new[] { $"bench -c 1 -d 1 --image-opts driver=blkverify,{options}", $"bench -w -c 1 -d 1 --image-opts driver=blkverify,{options}" })]),

        Make("info", "quorum: options", [.. new[]
        {
            Three, Quorum(4, File("a.raw"), File("b.raw")), Quorum(0, File("a.raw")), Quorum(1), "driver=quorum", "driver=quorum,vote-threshold=x," + Child(0, File("a.raw")), "driver=quorum,vote-threshold=1," + Child(1, File("a.raw")),
            Three + ",read-pattern=foo", Three + ",read-pattern=fifo", Three + ",blkverify=on", Quorum(2, File("a.raw"), File("b.raw")) + ",blkverify=on", Quorum(2, File("a.raw"), File("b.raw")) + ",blkverify=on,rewrite-corrupted=on",
            Three + ",rewrite-corrupted=on", Three + ",rewrite-corrupted=on,read-only=off", Three + ",foo=1", Three + ",blkverify=x", Quorum(1, File("a.raw"), File("long.raw")), Quorum(1, File("nix"), File("a.raw")), Quorum(3, File("nix"), File("a.raw")),
            Quorum(1, "filename=a.raw"), "driver=quorum,vote-threshold=1,children.0=a.raw", Quorum(2, "driver=qcow2,file.filename=top.qcow2", File("a.raw")), Quorum(2, "driver=qcow2,file.filename=a.raw", File("a.raw")),
        }.Select(static options => $"info --image-opts {options}"), "info -f quorum a.raw", $"info --output=json --image-opts {Three}",
            "info --image-opts driver=raw,file.driver=quorum,file.vote-threshold=1,file.children.0.driver=raw,file.children.0.file.filename=a.raw,file.children.1.driver=qcow2,file.children.1.file.filename=a.qcow2"]),
        Make("info", "quorum: json:", "info 'json:{\"driver\": \"quorum\", \"vote-threshold\": 1, \"children\": [{\"driver\": \"raw\", \"file\": {\"driver\": \"file\", \"filename\": \"a.raw\"}}, {\"driver\": \"file\", \"filename\": \"b.raw\"}]}'",
            "info 'json:{\"driver\": \"quorum\", \"vote-threshold\": 1, \"children\": []}'", "info 'json:{\"driver\": \"quorum\", \"vote-threshold\": \"1\", \"children\": [\"a.raw\"]}'"),
        Make("map", "quorum", $"map --output=json --image-opts {Three}", $"map --image-opts {Three}", $"map --output=json --image-opts {Quorum(1, File("a.raw"), "driver=qcow2,file.filename=top.qcow2")}"),
        Make("compare", "quorum", [.. new[]
        {
            OutvotesBad, Quorum(1, File("bad.raw"), File("a.raw")) + ",read-pattern=fifo", Quorum(1, File("bad.raw"), File("a.raw")), Quorum(1, File("a.raw"), File("bad.raw")), Quorum(2, "driver=qcow2,file.filename=top.qcow2", File("a.raw")),
        }.Select(static options => $"compare --image-opts {options} driver=file,filename=c.raw")]),
        Make("convert", "quorum", $"convert -O raw --image-opts {OutvotesBad} x", $"convert -O qcow2 --image-opts {Three} y", $"dd --image-opts if={Three} of=z bs=64k", $"measure -O qcow2 --image-opts {Three}", $"check --image-opts {Three}"),
        Make("dd", "quorum: no majority", $"dd --image-opts if={Quorum(2, File("a.raw"), File("bad.raw"))} of=x bs=4k count=10"),
        Make("resize", "quorum", $"resize --image-opts {Three} 2M", $"resize --shrink --image-opts {Three} 512k", $"snapshot -l --image-opts {Three}"),
        Make("bench", "quorum: rewrite-corrupted", $"bench -c 1 -d 1 -o 40960 -s 4096 --image-opts {OutvotesBad},rewrite-corrupted=on,read-only=off", $"bench -w -c 1 -d 1 --image-opts {OutvotesBad},rewrite-corrupted=on", "compare a.raw c.raw", "compare -s a.raw bad.raw"),
        Make("convert", "quorum: writes", $"convert -n -f qcow2 a.qcow2 --target-image-opts {Quorum(2, File("b.raw"), File("bad.raw"))}", "compare -f raw -F raw b.raw bad.raw", "create -f quorum x 1M"),
        Make("create", "quorum: as a backing file", "create -f qcow2 -b 'json:{\"driver\": \"quorum\", \"vote-threshold\": 2, \"children\": [{\"driver\": \"file\", \"filename\": \"a.raw\"}, {\"driver\": \"file\", \"filename\": \"b.raw\"}]}' -F quorum new", "info --backing-chain new", "convert new x"),
        Make("bench", "quorum: a child that fails", [.. Failing("event=none", "event=none,{0}inject-error.0.iotype=flush", "event=none,{0}inject-error.0.iotype=write,{0}inject-error.0.errno=28", "event=none,{0}inject-error.0.iotype=block-status")
            .Select(static rules => rules("children.0"))
            .SelectMany(static options => new[] { $"vote-threshold=1,{options},{Child(1, File("b.raw"))}", $"vote-threshold=2,{options},{Child(1, File("b.raw"))}", $"read-pattern=fifo,vote-threshold=1,{options},{Child(1, File("b.raw"))}" })
            .SelectMany(static options => new[] { $"bench -c 1 -d 1 --image-opts driver=quorum,{options}", $"bench -w -c 2 -d 1 --flush-interval=1 --image-opts driver=quorum,{options}" })]),
    ];

    // blkdebug over a.raw as a child, by the child's name.
    private static IEnumerable<Func<string, string>> Failing(params string[] rules) => rules.Select<string, Func<string, string>>(static rule =>
        child => $"{child}.driver=blkdebug,{child}.image.driver=file,{child}.image.filename=a.raw,{child}.inject-error.0.{rule.Replace("{0}", child + ".", StringComparison.Ordinal)}");

    private static string Quorum(int threshold, params string[] children) =>
        string.Join(',', [$"driver=quorum,vote-threshold={threshold}", .. children.Select(static (child, number) => Child(number, child))]);

    private static string Child(int number, string options) => string.Join(',', options.Split(',').Select(option => $"children.{number}.{option}"));

    private static string File(string name) => $"driver=file,filename={name}";

    private static ConformanceCase Make(string command, string topic, params string[] steps) =>
        new() { Command = command, Topic = topic, Setup = Images, Steps = steps, IgnoresDiskSize = true };
}
