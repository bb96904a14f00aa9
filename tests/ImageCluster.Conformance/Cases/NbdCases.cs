namespace ImageCluster.Conformance.Cases;

/// <summary>Exports of an NBD server: the case's inputs by their names, and what is written to them.</summary>
internal static class NbdCases
{
    private static readonly string[] Served =
    [
        "img create -q -f raw a.raw 3M",
        "io raw a.raw 'write -P 1 0 100k' 'write -P 2 1M 64k' 'write -P 3 2100k 1'",
        "img convert -O qcow2 a.raw a.qcow2",
        "img convert -O qcow2 -c a.raw c.qcow2",
        "img convert -O vmdk -o subformat=streamOptimized a.raw a.vmdk",
        "img convert -O vhdx a.raw a.vhdx",
        "img create -q -f qcow2 -u -b a.qcow2 -F qcow2 relative.qcow2 3M",
        "img create -q -f raw empty.raw 4M",
        "img create -q -f raw large.raw 16M",
        "img create -q -f raw small.raw 1M",
        "truncate -s 1000 odd.raw",
    ];

    public static IReadOnlyList<ConformanceCase> List { get; } =
    [
        Steps("info", "over nbd", Names("info", "a.raw", "a.qcow2", "a.vhdx", "odd.raw", "relative.qcow2"), "info --output=json " + Name("a.raw"), "info --output=json " + Name("a.qcow2"), "info -U " + Name("a.raw"), "info -f raw nbd:unix:nbd.sock:exportname=a.qcow2"),
        Steps("info", "over nbd: names", [], "info nbd:unix:nbd.sock:exportname=a.raw", "info 'nbd+unix:///a%2eraw?socket=nbd%2esock'", "info nbd:", "info nbd:host", "info nbd://", "info nbd:///x", "info nbd://127.0.0.1:abc/x", "info nbd://127.0.0.1:1/x?y=z",
            "info nbd+unix:///x", "info 'nbd+unix://host/x?socket=nbd.sock'", "info 'nbd+unix:///x?socket=nbd.sock&y=z'", "info nbd:127.0.0.1:x", "info nbd+foo://x"),
        Steps("info", "over nbd: what is not there", [], "info 'nbd+unix:///a.raw?socket=none.sock'", "info nbd:unix:", "info nbd://127.0.0.1:1/x", "info nbd:127.0.0.1:1"),
        Steps("info", "over nbd: options", [], "info --image-opts driver=nbd,server.type=unix,server.path=nbd.sock,export=a.raw", "info --image-opts driver=qcow2,file.driver=nbd,file.path=nbd.sock,file.export=a.qcow2",
            "info --image-opts driver=raw,offset=512,file.driver=nbd,file.path=nbd.sock,file.export=a.raw", "info --image-opts driver=raw,size=1024,file.driver=nbd,file.server.type=unix,file.server.path=nbd.sock,file.export=a.raw",
            "info 'json:{\"driver\":\"nbd\",\"server\":{\"type\":\"unix\",\"path\":\"nbd.sock\"},\"export\":\"a.raw\"}'", "info --image-opts driver=nbd,export=x", "info --image-opts driver=nbd,server.path=nbd.sock", "info --image-opts driver=nbd,server.type=unix",
            "info --image-opts driver=nbd,server.type=foo", "info --image-opts driver=nbd,host=127.0.0.1,path=x", "info --image-opts driver=nbd,server.type=unix,server.path=x,host=y", "info --image-opts driver=nbd,path=nbd.sock,reconnect-delay=x",
            "info --image-opts driver=nbd,path=nbd.sock,export=a.raw,blah=1", "info --image-opts driver=nbd,path=nbd.sock,export=a.raw,tls-creds=t"),
        Steps("info", "over nbd: TLS credentials", [], "info --object tls-creds-x509,id=t --image-opts driver=nbd,path=nbd.sock,tls-creds=t", "info --object tls-creds-x509,id=t,dir=none --image-opts driver=nbd,path=nbd.sock,tls-creds=t",
            "info --object tls-creds-x509,id=t,dir=x,endpoint=y --image-opts driver=nbd,path=nbd.sock,tls-creds=t", "info --object secret,id=t,data=x --image-opts driver=nbd,path=nbd.sock,tls-creds=t"),
        Steps("map", "over nbd", Names("map", "a.raw", "a.qcow2"), [.. Names("map --output=json", "a.raw", "a.qcow2", "a.vhdx", "odd.raw", "empty.raw")]),
        Steps("check", "over nbd", Names("check", "a.qcow2", "a.vhdx", "a.raw"), "check -r all " + Name("a.qcow2")),
        Steps("measure", "over nbd", Names("measure -O qcow2", "a.raw", "a.qcow2"), "measure -O raw " + Name("a.qcow2")),
        Steps("compare", "over nbd", [], $"compare {Name("a.raw")} a.raw", $"compare {Name("a.qcow2")} {Name("c.qcow2")}", $"compare {Name("a.raw")} {Name("empty.raw")}"),
        Steps("convert", "from nbd", [], $"convert -O qcow2 {Name("a.raw")} x", $"convert -O raw {Name("c.qcow2")} y", $"convert -O raw {Name("a.vmdk")} v", $"convert -O raw {Name("odd.raw")} o") with { Images = ["x", "y:raw", "v:raw", "o:raw"] },
        Steps("convert", "onto nbd", [], $"convert -O raw a.qcow2 {Name("empty.raw")}", $"compare a.raw {Name("empty.raw")}", $"convert -n -O raw a.raw {Name("large.raw")}", $"convert -O qcow2 a.raw {Name("large.raw")}", "compare a.raw " + Name("large.raw"), "check " + Name("large.raw"),
            $"convert -O vdi a.raw {Name("large.raw")}", "compare a.raw " + Name("large.raw")),
        Steps("convert", "onto nbd: vpc and vhdx", [], $"convert -O vpc a.raw {Name("large.raw")}", "compare a.raw " + Name("large.raw"), $"convert -O vhdx a.raw {Name("large.raw")}", "compare a.raw " + Name("large.raw")) with
        {
            Verdict = Verdict.Better,
            Differs = DifferencePart.Said,
            Reason = "what is written can be read back; qemu-img's vpc is another disk, and its vhdx fails",
        },
        Steps("convert", "onto nbd: too small", [], $"convert -O raw a.raw {Name("small.raw")}", $"convert -n -O raw a.raw {Name("small.raw")}", $"convert -O vhdx a.raw {Name("small.raw")}"),
        Steps("create", "over nbd", [], $"create -f qcow2 {Name("empty.raw")} 8M", "info " + Name("empty.raw"), "check " + Name("empty.raw"), $"create -f raw {Name("empty.raw")} 4M", $"create -f raw {Name("empty.raw")} 5M", $"create -f raw -o preallocation=full {Name("empty.raw")} 4M",
            $"create -f raw -o nocow=on {Name("empty.raw")} 4M", "create -f raw 'nbd+unix:///x?socket=none.sock' 1M", "create -f raw -o help nbd:x"),
        Steps("create", "over a backing file on nbd", [], $"create -f qcow2 -b {Name("a.raw")} -F raw x", "info --backing-chain x", "map --output=json x", "convert -O raw x y") with { Images = ["y:raw"] },
        Steps("convert", "from nbd: a relative backing file", [], $"convert {Name("relative.qcow2")} x"),
        Steps("dd", "over nbd", [], $"dd bs=64k count=3 if={Name("a.raw")} of=x", $"dd -O raw if=a.raw of={Name("empty.raw")}", $"compare a.raw {Name("empty.raw")}") with { Images = ["x:raw"] },
        Steps("resize", "over nbd", [], $"resize -f raw {Name("a.raw")} 4M", $"resize -f raw --shrink {Name("a.raw")} 2M"),
        Steps("snapshot", "over nbd", [], "snapshot -c one " + Name("large.raw"), $"create -q -f qcow2 {Name("large.raw")} 1M", "snapshot -c one " + Name("large.raw"), "check " + Name("large.raw")),
        Steps("rebase", "onto nbd", [], "create -q -f qcow2 -b a.qcow2 -F qcow2 x", $"rebase -f qcow2 -F qcow2 -b {Name("a.qcow2")} x", "info x", "map --output=json x"),
        Steps("commit", "onto nbd", [], $"create -q -f qcow2 -b {Name("a.raw")} -F raw x", "commit x", $"compare a.raw {Name("a.raw")}"),
        Steps("info", "over nbd: a file name for a stated driver", [], "info --image-opts driver=nbd,filename=nbd:unix:nbd.sock:exportname=a.raw") with
        {
            Verdict = Verdict.Better,
            Differs = DifferencePart.Said,
            Reason = "`filename` is taken with `driver=nbd`, as with other drivers; qemu-img says that the address is missing",
        },
    ];

    private static string Name(string export) => $"'nbd+unix:///{export}?socket=nbd.sock'";

    private static string[] Names(string command, params string[] exports) => [.. exports.Select(export => $"{command} {Name(export)}")];

    private static ConformanceCase Steps(string command, string topic, string[] steps, params string[] more) =>
        new() { Command = command, Topic = topic, Setup = Served, Steps = [.. steps, .. more], NeedsNbd = true };
}
