namespace ImageCluster.Conformance.Cases;

/// <summary>Images described by options and JSON: nodes in nodes, other backing and data files, and all that can be wrong with them.</summary>
internal static class NodeCases
{
    private const string Key = "--object secret,id=s,data=abc";

    private const string Group = "--object throttle-group,id=tg";
    private const string Below = "file.driver=qcow2,file.file.filename=a.qcow2";

    private static readonly string[] Images =
    [
        "img create -q -f qcow2 a.qcow2 1M",
        "io qcow2 a.qcow2 'write -P 1 0 64k'",
        "img create -q -f raw b.raw 1M",
        "io raw b.raw 'write -P 2 64k 64k'",
        "img create -q -f qcow2 -b b.raw -F raw t.qcow2",
        "img create -q -f raw w.raw 3M",
        "img convert -n --target-image-opts -f raw a.qcow2 driver=raw,offset=1M,file.filename=w.raw",
        "img create -q -f qcow2 -o data_file=d.raw d.qcow2 1M",
        "img create -q -f qcow2 -u -b 'json:{\"driver\":\"raw\",\"file\":{\"driver\":\"file\",\"filename\":\"b.raw\"}}' -F raw j.qcow2 1M",
        "img create -q -f qcow2 -u -b 'json:{\"driver\":\"raw\",\"offset\":65536,\"file\":{\"driver\":\"file\",\"filename\":\"b.raw\"}}' -F raw j2.qcow2 1M",
        "img create -q -f qcow2 -u -b 'json:{\"driver\":\"foo\",\"file\":{\"driver\":\"file\",\"filename\":\"b.raw\"}}' -F raw j3.qcow2 1M",
        "img create -q -f raw p.raw 100M",
    ];

    // An encrypted backing file, under an overlay that says nothing of its key and one that names the secret.
    private static readonly string[] Encrypted =
    [
        $"img create -q {Key} -f qcow2 -o encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=10 base.qcow2 1M",
        "img create -q -f raw c.raw 1M",
        "io raw c.raw 'write -P 7 64k 128k'",
        $"img convert -n {Key} --target-image-opts c.raw driver=qcow2,file.filename=base.qcow2,encrypt.key-secret=s",
        "img create -q -f qcow2 -u -b base.qcow2 -F qcow2 top.qcow2 1M",
        "img create -q -f qcow2 -u -b 'json:{\"driver\":\"qcow2\",\"encrypt.key-secret\":\"s\",\"file\":{\"driver\":\"file\",\"filename\":\"base.qcow2\"}}' -F qcow2 named.qcow2 1M",
    ];

    public static IReadOnlyList<ConformanceCase> List { get; } =
    [
        Make("info", "options of nodes", "info --image-opts driver=qcow2", "info --image-opts driver=foo,file.filename=a.qcow2", "info --image-opts driver=qcow2,file.driver=foo,file.filename=a.qcow2",
            "info --image-opts driver=qcow2,file.driver=file", "info --image-opts driver=qcow2,file.driver=file,file.filename=a.qcow2", "info --image-opts file.driver=file,file.filename=a.qcow2",
            "info --image-opts driver=qcow2,file.driver=qcow2,file.file.filename=a.qcow2", "info --image-opts driver=raw,file.driver=raw,file.file.filename=b.raw", "info --image-opts driver=qcow2,file.driver=raw,file.offset=1M,file.file.filename=w.raw",
            "info --image-opts file.driver=raw,file.offset=1M,file.file.filename=w.raw", "info --image-opts driver=qcow2,file.filename=t.qcow2,backing.driver=raw,backing.file.filename=w.raw", "info --image-opts driver=qcow2,file.filename=t.qcow2,backing.driver=qcow2,backing.file.filename=a.qcow2",
            "info --image-opts driver=qcow2,file.filename=t.qcow2,backing.file.filename=a.qcow2", "info --image-opts driver=qcow2,file.filename=t.qcow2,backing.driver=foo,backing.file.filename=a.qcow2", "info --image-opts driver=qcow2,file.filename=t.qcow2,backing.driver=qcow2,backing.file.filename=nix",
            "info --image-opts driver=qcow2,file.filename=t.qcow2,backing.foo=1", "info --image-opts driver=qcow2,file.filename=t.qcow2,backing=", "info --image-opts driver=qcow2,file.filename=t.qcow2,backing=foo",
            "info --image-opts driver=qcow2,file.filename=t.qcow2,backing", "info --image-opts driver=qcow2,file.filename=a.qcow2,backing.driver=raw,backing.file.filename=b.raw", "info --image-opts driver=raw,file.filename=b.raw,backing.driver=raw,backing.file.filename=b.raw",
            "info --image-opts driver=qcow2,file.filename=d.qcow2,data-file.filename=b.raw", "info --image-opts driver=qcow2,file.filename=d.qcow2,data-file.driver=file,data-file.filename=b.raw", "info --image-opts driver=qcow2,file.filename=d.qcow2,data-file.driver=raw,data-file.file.filename=b.raw",
            "info --image-opts driver=qcow2,file.filename=d.qcow2,data-file.filename=nix", "info --image-opts driver=qcow2,file.filename=d.qcow2,data-file=x", "info --image-opts driver=qcow2,file.filename=a.qcow2,data-file.filename=b.raw",
            "info --image-opts driver=qcow2,file.filename=a.qcow2,foo.bar=1", "info --image-opts driver=qcow2,file.filename=a.qcow2,file.foo=1", "info --image-opts driver=qcow2,file.filename=a.qcow2,file.foo.bar=1",
            "info --image-opts driver=qcow2,file.file.filename=a.qcow2", "info --image-opts driver=raw,file.filename=b.raw,offset=foo", "info --image-opts driver=raw,file.filename=b.raw,offset=2M",
            "info --image-opts driver=raw,file.filename=b.raw,size=2M", "info --image-opts driver=raw,file.filename=b.raw,offset=512k,size=1M", "info --image-opts driver=raw,file.filename=b.raw,size=1000",
            "info --image-opts driver=file,filename=b.raw", "info --image-opts driver=file,filename=b.raw,offset=512", "info --image-opts driver=file,file.filename=b.raw",
            "info --image-opts driver=host_device,filename=b.raw", "info --image-opts driver=qcow2,file.filename=a.qcow2,read-only=on", "info --image-opts driver=qcow2,file.filename=a.qcow2,read-only=foo",
            "info --image-opts driver=qcow2,file.filename=a.qcow2,file.locking=foo", "info --image-opts driver=qcow2,file.filename=a.qcow2,file.aio=foo", "info --image-opts driver=qcow2,file.filename=a.qcow2,cache.direct=foo",
            "info --image-opts driver=qcow2,file.filename=a.qcow2,cache.direct=on,cache.no-flush=on", "info --image-opts driver=qcow2,file.filename=a.qcow2,detect-zeroes=foo", "info --image-opts driver=qcow2,file.filename=a.qcow2,discard=foo",
            "info --image-opts driver=qcow2,file.filename=a.qcow2,lazy-refcounts=foo", "info --image-opts driver=qcow2,file.filename=a.qcow2,lazy-refcounts=on", "info --image-opts driver=qcow2,file.filename=a.qcow2,overlap-check=foo",
            "info --image-opts driver=qcow2,file.filename=a.qcow2,overlap-check=all", "info --image-opts driver=qcow2,file.filename=a.qcow2,l2-cache-size=foo", "info --image-opts driver=qcow2,file.filename=a.qcow2,cache-size=1",
            "info --image-opts driver=qcow2,file.filename=a.qcow2,node-name=foo", "info --image-opts driver=qcow2,file.filename=a.qcow2,node-name=0foo", "info --image-opts driver=qcow2,file.filename=a.qcow2,node-name=f,file.node-name=f",
            "info --image-opts driver=qcow2,file=a", "info --image-opts file.filename=a.qcow2,,", "info --image-opts driver=qcow2,file.filename=a.qcow2,file=x",
            "info --image-opts driver=luks,file.filename=b.raw", "info --image-opts driver=qcow2,file.filename=a.qcow2,encrypt.format=luks", "info --image-opts driver=qcow2,file.filename=a.qcow2,encrypt.format=foo",
            "info --image-opts driver=qcow2,file.filename=a.qcow2,encrypt.key-secret=x"),
        .. new[] { "on", "unmap,discard=unmap", "off" }.Select(static detection => DetectZeroes($"detect-zeroes={detection}")),
        Make("map", "options of nodes", "map --output=json --image-opts driver=qcow2", "map --output=json --image-opts driver=foo,file.filename=a.qcow2", "map --output=json --image-opts driver=qcow2,file.driver=foo,file.filename=a.qcow2",
            "map --output=json --image-opts driver=qcow2,file.driver=file", "map --output=json --image-opts driver=qcow2,file.driver=file,file.filename=a.qcow2", "map --output=json --image-opts file.driver=file,file.filename=a.qcow2",
            "map --output=json --image-opts driver=qcow2,file.driver=qcow2,file.file.filename=a.qcow2", "map --output=json --image-opts driver=raw,file.driver=raw,file.file.filename=b.raw", "map --output=json --image-opts driver=qcow2,file.driver=raw,file.offset=1M,file.file.filename=w.raw",
            "map --output=json --image-opts file.driver=raw,file.offset=1M,file.file.filename=w.raw", "map --output=json --image-opts driver=qcow2,file.filename=t.qcow2,backing.driver=raw,backing.file.filename=w.raw", "map --output=json --image-opts driver=qcow2,file.filename=t.qcow2,backing.driver=qcow2,backing.file.filename=a.qcow2",
            "map --output=json --image-opts driver=qcow2,file.filename=t.qcow2,backing.file.filename=a.qcow2", "map --output=json --image-opts driver=qcow2,file.filename=t.qcow2,backing.driver=foo,backing.file.filename=a.qcow2", "map --output=json --image-opts driver=qcow2,file.filename=t.qcow2,backing.driver=qcow2,backing.file.filename=nix",
            "map --output=json --image-opts driver=qcow2,file.filename=t.qcow2,backing.foo=1", "map --output=json --image-opts driver=qcow2,file.filename=t.qcow2,backing=", "map --output=json --image-opts driver=qcow2,file.filename=t.qcow2,backing=foo",
            "map --output=json --image-opts driver=qcow2,file.filename=t.qcow2,backing", "map --output=json --image-opts driver=qcow2,file.filename=a.qcow2,backing.driver=raw,backing.file.filename=b.raw", "map --output=json --image-opts driver=raw,file.filename=b.raw,backing.driver=raw,backing.file.filename=b.raw",
            "map --output=json --image-opts driver=qcow2,file.filename=d.qcow2,data-file.filename=b.raw", "map --output=json --image-opts driver=qcow2,file.filename=d.qcow2,data-file.driver=file,data-file.filename=b.raw", "map --output=json --image-opts driver=qcow2,file.filename=d.qcow2,data-file.driver=raw,data-file.file.filename=b.raw",
            "map --output=json --image-opts driver=qcow2,file.filename=d.qcow2,data-file.filename=nix", "map --output=json --image-opts driver=qcow2,file.filename=d.qcow2,data-file=x", "map --output=json --image-opts driver=qcow2,file.filename=a.qcow2,data-file.filename=b.raw",
            "map --output=json --image-opts driver=qcow2,file.filename=a.qcow2,foo.bar=1", "map --output=json --image-opts driver=qcow2,file.filename=a.qcow2,file.foo=1", "map --output=json --image-opts driver=qcow2,file.filename=a.qcow2,file.foo.bar=1",
            "map --output=json --image-opts driver=qcow2,file.file.filename=a.qcow2", "map --output=json --image-opts driver=raw,file.filename=b.raw,offset=foo", "map --output=json --image-opts driver=raw,file.filename=b.raw,offset=2M",
            "map --output=json --image-opts driver=raw,file.filename=b.raw,size=2M", "map --output=json --image-opts driver=raw,file.filename=b.raw,offset=512k,size=1M", "map --output=json --image-opts driver=raw,file.filename=b.raw,size=1000",
            "map --output=json --image-opts driver=file,filename=b.raw", "map --output=json --image-opts driver=file,filename=b.raw,offset=512", "map --output=json --image-opts driver=file,file.filename=b.raw",
            "map --output=json --image-opts driver=host_device,filename=b.raw", "map --output=json --image-opts driver=qcow2,file.filename=a.qcow2,read-only=on", "map --output=json --image-opts driver=qcow2,file.filename=a.qcow2,read-only=foo",
            "map --output=json --image-opts driver=qcow2,file.filename=a.qcow2,file.locking=foo", "map --output=json --image-opts driver=qcow2,file.filename=a.qcow2,file.aio=foo", "map --output=json --image-opts driver=qcow2,file.filename=a.qcow2,cache.direct=foo",
            "map --output=json --image-opts driver=qcow2,file.filename=a.qcow2,cache.direct=on,cache.no-flush=on", "map --output=json --image-opts driver=qcow2,file.filename=a.qcow2,detect-zeroes=foo", "map --output=json --image-opts driver=qcow2,file.filename=a.qcow2,discard=foo",
            "map --output=json --image-opts driver=qcow2,file.filename=a.qcow2,lazy-refcounts=foo", "map --output=json --image-opts driver=qcow2,file.filename=a.qcow2,lazy-refcounts=on", "map --output=json --image-opts driver=qcow2,file.filename=a.qcow2,overlap-check=foo",
            "map --output=json --image-opts driver=qcow2,file.filename=a.qcow2,overlap-check=all", "map --output=json --image-opts driver=qcow2,file.filename=a.qcow2,l2-cache-size=foo", "map --output=json --image-opts driver=qcow2,file.filename=a.qcow2,cache-size=1",
            "map --output=json --image-opts driver=qcow2,file.filename=a.qcow2,node-name=foo", "map --output=json --image-opts driver=qcow2,file.filename=a.qcow2,node-name=0foo", "map --output=json --image-opts driver=qcow2,file.filename=a.qcow2,node-name=f,file.node-name=f",
            "map --output=json --image-opts driver=qcow2,file=a", "map --output=json --image-opts file.filename=a.qcow2,,", "map --output=json --image-opts driver=qcow2,file.filename=a.qcow2,file=x",
            "map --output=json --image-opts driver=luks,file.filename=b.raw", "map --output=json --image-opts driver=qcow2,file.filename=a.qcow2,encrypt.format=luks", "map --output=json --image-opts driver=qcow2,file.filename=a.qcow2,encrypt.format=foo",
            "map --output=json --image-opts driver=qcow2,file.filename=a.qcow2,encrypt.key-secret=x"),
        Make("info", "json: and nested nodes", "info --backing-chain j.qcow2", "info --backing-chain j2.qcow2", "info --backing-chain j3.qcow2",
            "info --output=json --backing-chain j2.qcow2", "info --image-opts driver=qcow2,file.filename=a.qcow2,read-only", "info 'json:{}'",
            "info 'json:{\"driver\":\"qcow2\",\"file\":\"x\"}'", "info 'json:{\"driver\":\"qcow2\",\"file\":{\"driver\":\"file\",\"filename\":\"a.qcow2\"},\"read-only\":\"foo\"}'", "info 'json:{\"driver\":\"qcow2\",\"file\":{\"driver\":\"file\",\"filename\":\"a.qcow2\"},\"read-only\":1}'",
            "info 'json:{\"driver\":\"qcow2\",\"file\":{\"driver\":\"file\",\"filename\":1}}'", "info 'json:{\"driver\":1,\"file\":{\"driver\":\"file\",\"filename\":\"a.qcow2\"}}'", "info -f raw 'json:{\"driver\":\"qcow2\",\"file\":{\"driver\":\"file\",\"filename\":\"t.qcow2\"}}'",
            "info -f raw 'json:{\"driver\":\"file\",\"filename\":\"a.qcow2\"}'", "info 'json:{\"file.filename\":\"t.qcow2\"}'", "info --backing-chain --image-opts driver=qcow2,file.filename=t.qcow2",
            "info --backing-chain --image-opts driver=qcow2,file.filename=t.qcow2,backing.file.filename=b.raw", "info --image-opts driver=qcow2,file.driver=raw,file.offset=1M,file.file.filename=w.raw"),
        Make("map", "json:, backing and data files by option", "map --output=json --image-opts driver=qcow2,file.filename=t.qcow2,backing.file.filename=b.raw", "map --output=json --image-opts driver=qcow2,file.filename=t.qcow2,backing.driver=foo", "map --output=json --image-opts driver=qcow2,file.filename=t.qcow2,backing.file.filename=nix",
            "map --output=json --image-opts driver=qcow2,file.filename=t.qcow2,backing.read-only=on", "map --output=json --image-opts driver=qcow2,file.filename=t.qcow2,backing.offset=64k", "map --output=json --image-opts driver=qcow2,file.filename=t.qcow2,backing=",
            "map --output=json --image-opts driver=qcow2,file.filename=a.qcow2,backing.driver=raw,backing.file.filename=b.raw", "map --output=json --image-opts driver=raw,file.filename=b.raw,backing.driver=raw,backing.file.filename=b.raw", "map --output=json --image-opts driver=qcow2,file.filename=t.qcow2,backing=foo",
            "map --output=json 'json:{\"driver\":\"qcow2\",\"file\":{\"driver\":\"file\",\"filename\":\"t.qcow2\"},\"backing\":null}'", "map 'json:{\"driver\":\"qcow2\",\"file\":{\"driver\":\"file\",\"filename\":\"t.qcow2\"},\"backing\":{\"driver\":\"raw\",\"file\":{\"driver\":\"file\",\"filename\":\"b.raw\"}}}'", "map 'json:{\"driver\":\"qcow2\",\"file\":{\"driver\":\"raw\",\"offset\":1048576,\"file\":{\"driver\":\"file\",\"filename\":\"w.raw\"}}}'",
            "map --output=json j.qcow2", "map j2.qcow2", "map j3.qcow2",
            "map --image-opts driver=qcow2,file.filename=d.qcow2,data-file.filename=nix", "map --image-opts driver=qcow2,file.filename=d.qcow2,data-file.driver=raw,data-file.file.filename=b.raw", "map --image-opts driver=qcow2,file.filename=d.qcow2,data-file=x",
            "map --image-opts driver=qcow2,file.filename=a.qcow2,data-file.filename=b.raw"),
        Make("resize", "nested nodes", "resize --image-opts driver=qcow2,file.filename=a.qcow2,read-only=on 2M", "amend -o size=1M --image-opts driver=qcow2,file.filename=a.qcow2,file.read-only=on", "amend -o size=1M --image-opts driver=qcow2,file.filename=a.qcow2,force-share=on",
            "snapshot -c x --image-opts driver=qcow2,file.filename=a.qcow2,auto-read-only=on", "check --image-opts driver=qcow2,file.filename=t.qcow2,backing.driver=raw", "resize --image-opts driver=qcow2,file.driver=raw,file.offset=1M,file.file.filename=w.raw 8M",
            "check --image-opts driver=qcow2,file.driver=raw,file.offset=1M,file.file.filename=w.raw", "amend -o compat=0.10 --image-opts driver=qcow2,file.driver=raw,file.offset=1M,file.file.filename=w.raw", "snapshot -c x --image-opts driver=qcow2,file.driver=raw,file.offset=1M,file.file.filename=w.raw",
            "resize --image-opts driver=raw,offset=1M,file.filename=p.raw 8M", "info p.raw"),
        Make("convert", "nested nodes", "compare --image-opts driver=qcow2,file.filename=t.qcow2,backing.driver=qcow2,backing.file.filename=a.qcow2 driver=qcow2,file.filename=a.qcow2", "convert -n --target-image-opts a.qcow2 driver=raw,offset=64k,file.filename=p.raw", "compare --image-opts driver=raw,offset=64k,size=1M,file.filename=p.raw driver=qcow2,file.filename=a.qcow2",
            "convert --image-opts driver=qcow2,file.driver=raw,file.offset=1M,file.file.filename=w.raw out.raw", "dd --image-opts if=driver=qcow2,file.filename=t.qcow2,backing.file.filename=b.raw of=o.raw", "measure -O raw --image-opts driver=qcow2,file.filename=t.qcow2,backing.file.filename=b.raw"),
        Make("rebase", "json: names", "create -f qcow2 -b 'json:{\"driver\":\"raw\",\"file\":{\"driver\":\"file\",\"filename\":\"b.raw\"}}' -F raw k.qcow2", "info k.qcow2", "rebase -u -b 'json:{\"file\":{\"driver\":\"file\",\"filename\":\"b.raw\"}}' -F raw k.qcow2",
            "rebase -b 'json:{\"driver\":\"raw\",\"file\":{\"driver\":\"file\",\"filename\":\"w.raw\"}}' -F raw k.qcow2", "info k.qcow2", "map --output=json k.qcow2",
            "commit k.qcow2"),
        Make("convert", "encrypted backing files", $"convert {Key} --image-opts driver=qcow2,file.filename=top.qcow2,backing.encrypt.key-secret=s x", $"convert {Key} named.qcow2 y", "convert named.qcow2 z", "convert top.qcow2 z",
            $"compare {Key} --image-opts driver=qcow2,file.filename=top.qcow2,backing.encrypt.key-secret=s driver=raw,file.filename=c.raw", $"compare {Key} --image-opts driver=qcow2,file.filename=top.qcow2,backing.encrypt.key-secret=nix driver=raw,file.filename=c.raw",
            "info --backing-chain top.qcow2 --output=json -U", $"map {Key} --output=json named.qcow2", $"rebase {Key} -b '' named.qcow2", "compare named.qcow2 c.raw") with { Setup = Encrypted, Images = ["x:raw", "y:raw"] },
        Make("map", "a start of a raw image that is no sector's", "map --output=json --image-opts driver=raw,file.filename=b.raw,offset=100") with { Verdict = Verdict.Better, Differs = DifferencePart.Said, Reason = "it is mapped; qemu-img 7.2 ends with a failed assertion" },
        Make("map", "a disk in a disk", "map --output=json --image-opts driver=raw,file.driver=qcow2,file.file.filename=a.qcow2", "map --image-opts driver=raw,offset=32k,file.driver=qcow2,file.file.filename=a.qcow2",
            "map --output=json --image-opts driver=raw,file.driver=qcow2,file.file.filename=t.qcow2", "map --output=json --image-opts driver=raw,file.driver=raw,file.offset=64k,file.file.filename=b.raw"),
        Make("info", "disks of nothing", "info null-co://", "info --output=json null-aio://", "info --image-opts driver=null-co,size=1M", "info --image-opts driver=raw,file.driver=null-co,file.size=1M,file.read-zeroes=on", "info 'json:{\"driver\":\"null-co\",\"size\":65536}'",
            "info --image-opts driver=null-co,latency-ns=-1", "info --image-opts driver=null-co,foo=1", "info --image-opts driver=null-co,filename=null-co://", "info null-co://foo", "info null-co:"),
        Make("map", "disks of nothing", "map --output=json null-co://", "map --output=json --image-opts driver=null-co,read-zeroes=on,size=1M", "map --image-opts driver=null-co,size=1M"),
        Make("convert", "disks of nothing", "convert -O raw --image-opts driver=null-co,size=1M,read-zeroes=on out.raw", "compare --image-opts driver=null-co,size=1M,read-zeroes=on driver=raw,file.filename=out.raw", "convert -n --target-image-opts a.qcow2 driver=null-co,size=1M",
            "convert -n a.qcow2 null-co://", "convert -O raw a.qcow2 null-co://", "dd if=null-co:// of=x bs=1M count=1", "bench -c 3 -w --image-opts driver=null-co,size=1M", "create -f qcow2 null-co:// 1M",
            "create -f qcow2 -b null-co:// -F raw ov.qcow2 1M", "measure -O qcow2 --image-opts driver=null-co,size=1M,read-zeroes=on", "check null-co://", "resize null-co:// 1M", "resize -f raw null-co:// 2G", "snapshot -l null-co://"),
        .. new[] { "throttle", "copy-on-read", "compress", "preallocate" }.Select(static driver => Make("info", $"a filter: {driver}", $"info --image-opts driver={driver}", $"info --image-opts driver={driver},{Below}", $"info --image-opts driver={driver},file.filename=a.qcow2",
            $"info -f {driver} a.qcow2", $"map --output=json --image-opts driver={driver},{Below}", $"convert -O {driver} a.qcow2 x", $"info --image-opts driver=raw,file.driver={driver},file.file.filename=a.qcow2",
            $"info --image-opts driver=qcow2,file.driver={driver},file.file.filename=a.qcow2", $"info --image-opts driver={driver},foo=1,{Below}", $"check --image-opts driver={driver},{Below}", $"snapshot -l --image-opts driver={driver},{Below}",
            $"measure -O qcow2 --image-opts driver={driver},{Below}", $"amend -o size=1M --image-opts driver={driver},{Below}")),
        Make("info", "a filter: throttle with a group", $"info {Group} --image-opts driver=throttle,throttle-group=tg,{Below}", $"info {Group} --image-opts driver=throttle,throttle-group=nix,{Below}", $"map --output=json {Group} --image-opts driver=throttle,throttle-group=tg,{Below}",
            $"info {Group} --image-opts driver=qcow2,file.driver=throttle,file.throttle-group=tg,file.file.filename=a.qcow2", $"convert {Group} --image-opts driver=throttle,throttle-group=tg,{Below} out", $"bench {Group} -w -c 3 --image-opts driver=throttle,throttle-group=tg,{Below}", $"info {Group} {Group} a.qcow2"),
        Make("convert", "a filter: compress", $"create -q -f qcow2 c.qcow2 1M", "convert -n --target-image-opts a.qcow2 driver=compress,file.driver=qcow2,file.file.filename=c.qcow2", "map --output=json c.qcow2") with { Images = ["c.qcow2"] },
        Make("info", "drivers that are not here", "info --image-opts driver=replication,mode=primary,file.driver=file,file.filename=b.raw", "info --image-opts driver=copy-before-write,file.driver=file,file.filename=b.raw,target.driver=file,target.filename=c.raw", "info fat:.") with
        {
            Verdict = Verdict.Differs,
            Differs = DifferencePart.Said,
            Reason = "network storage, and what serves a running machine, is named as not supported, with what to do instead (see above)",
        },
    ];

    // Zeros that are data in the source, over data in the target.
    private static ConformanceCase DetectZeroes(string options) => new()
    {
        Command = "convert",
        Topic = options,
        Format = "qcow2",
        Setup = ["truncate -s 4M zeros", "io raw zeros 'write -P 1 1M 64k' 'write -P 0 2M 1M'", "img create -q -f qcow2 x 4M", "io qcow2 x 'write -P 7 0 4M'", "img create -q -f qcow2 -b x -F qcow2 y 3M"],
        Steps =
        [
            $"bench -q -w -c 4 -d 1 -s 64k --pattern=0 --image-opts driver=qcow2,file.filename=y,{options}", $"bench -q -w -c 4 -d 1 -s 60k -o 1M --pattern=0 --image-opts driver=qcow2,file.filename=y,{options}",
            $"bench -q -w -c 4 -d 1 -s 60k -o 2M --pattern=3 --image-opts driver=qcow2,file.filename=y,{options}", $"bench -q -w -c 4 -d 1 -s 64k -o 2M --pattern=0 --image-opts driver=qcow2,file.filename=y,{options}",
            $"convert -m 1 -n -S 0 -f raw --target-image-opts zeros driver=qcow2,file.filename=x,{options}",
        ],
        Images = ["x", "y"],
        SameLayout = false,
    };

    private static ConformanceCase Make(string command, string topic, params string[] steps) =>
        new() { Command = command, Topic = topic, Format = "", Setup = Images, Steps = steps, IgnoresDiskSize = true };
}
