namespace ImageCluster.Conformance.Cases;

internal static class InfoCases
{
    private static readonly string[] Chain =
    [
        "img create -q -f qcow2 base.qcow2 8M",
        "img create -q -f qcow2 -b base.qcow2 -F qcow2 mid.qcow2",
        "img create -q -f qcow2 -b mid.qcow2 -F qcow2 top.qcow2 9M",
        "img snapshot -c one mid.qcow2",
        "mkdir sub",
        "img create -q -f qcow2 -b ../base.qcow2 -F qcow2 sub/rel.qcow2",
    ];

    private static readonly string[] Loop =
    [
        "img create -q -f qcow2 a.qcow2 1M",
        "img create -q -f qcow2 -b a.qcow2 -F qcow2 b.qcow2",
        "img rebase -u -b b.qcow2 -F qcow2 a.qcow2",
        "img create -q -f qcow2 -u -b gone.qcow2 -F qcow2 orphan.qcow2 1M",
        "img create -q -f qcow2 -u -b nbd://host/x -F raw remote.qcow2 1M",
    ];

    public static IReadOnlyList<ConformanceCase> List { get; } =
    [
        Both("plain", "raw", ["img create -q -f raw x 1000000", "truncate -s 700 odd", "truncate -s 0 empty"], "x", "-f raw odd", "odd", "empty", "/dev/null", ".", "''", "nix", "-f qcow2 x", "-f foo x", "file:x"),
        Both("plain", "qcow2", ["img create -q -f qcow2 x 10M"], "x", "-f raw x", "-f qcow2 x", "-U x"),
        .. new[] { "compat=0.10", "cluster_size=512", "cluster_size=2M,lazy_refcounts=on", "refcount_bits=1", "compression_type=zstd", "extended_l2=on", "data_file=d.raw", "data_file=d.raw,data_file_raw=on" }
            .Select(options => Both(options, "qcow2", [$"img create -q -f qcow2 -o {options} x 10M"], "x")),
        Both("--backing-chain", "qcow2", Chain, "top.qcow2", "--backing-chain top.qcow2", "sub/rel.qcow2", "--backing-chain sub/rel.qcow2"),
        Both("chains that loop or end", "qcow2", Loop, "a.qcow2", "--backing-chain a.qcow2", "orphan.qcow2", "--backing-chain orphan.qcow2", "remote.qcow2"),
        Both("snapshots and bitmaps", "qcow2",
            ["img create -q -f qcow2 x 10M", "img snapshot -c s1 x", "img snapshot -c 'a name that is rather long' x", "img bitmap --add x b0", "img bitmap --add -g 32k x b1", "img bitmap --disable x b1"], "x"),
        Both("image options", "raw", ["truncate -s 1M x"],
            "--image-opts driver=raw,file.filename=x", "--image-opts driver=raw,file.filename=x,size=512", "--image-opts driver=raw,offset=512,file.filename=x",
            "--image-opts driver=raw,offset=512,size=3,file.filename=x", "--image-opts driver=foo", "--image-opts filename=x", "--image-opts driver=raw,filename=x",
            "--image-opts driver=file,filename=x", "--image-opts x", "--image-opts driver=raw,file.filename=nix", "--image-opts driver=raw,file.filename=x,foo=3",
            "--image-opts driver=raw,file.filename=x,file.foo=3", "--image-opts driver=raw,file.filename=x,size=x", "--image-opts driver=raw,,file.filename=x", "--image-opts ''",
            "--image-opts file.filename=x", "--image-opts driver=raw,file.filename=x,read-only=foo"),
        Both("json: names", "qcow2", ["img create -q -f qcow2 x 1M", "truncate -s 1M r"],
            "'json:{\"driver\":\"qcow2\",\"file\":{\"driver\":\"file\",\"filename\":\"x\"}}'", "'json:{\"driver\":\"qcow2\",\"file.filename\":\"x\"}'", "'json:{'", "json:3", "json:{}",
            "json:", "json:abc", "'json:{\"a\" 1}'", "'json:{\"a\":1,\"a\":2}'", "'json:[1 2]'", "'json:{\"driver\":\"qcow2\",\"file\":\"x\"}'", "'json:{\"driver\":\"qcow2\",\"file\":{}}'",
            "-f raw 'json:{\"driver\":\"qcow2\",\"file.filename\":\"x\"}'", "'json:{\"driver\":\"raw\",\"size\":512,\"file.filename\":\"r\"}'"),
        Both("--object", "raw", ["truncate -s 1M x", "touch pw"],
            "--object secret x", "--object foo x", "--object secret,id=s x", "--object secret,id=s,data=abc x", "--object secret,id=s,data=abc,file=pw x", "--object secret,id=s,file=nix x",
            "--object secret,id=s,data=!!,format=base64 x", "--object secret,id=s,data=x,format=foo x", "--object secret,id=s,data=x,foo=3 x", "--object id=s,data=x x", "--object secret,id=1s,data=x x",
            "--object secret,id=s,data=x,keyid=foo x", "--object secret,id x", "--object secret,id=s,data=x --object secret,id=s,data=y x", "--object secret,help x"),
        .. new[] { "vdi", "vpc", "vhdx", "vmdk", "qed", "qcow", "parallels" }
            .Select(format => Both("plain", format, [$"img create -q -f {format} x 10M"], "x")),
        .. new[] { "monolithicFlat", "twoGbMaxExtentSparse", "twoGbMaxExtentFlat", "streamOptimized" }
            .Select(subformat => Both($"subformat={subformat}", "vmdk", [$"img create -q -f vmdk -o subformat={subformat} x.vmdk 10M"], "x.vmdk")),
        Both("subformat=fixed", "vpc", ["img create -q -f vpc -o subformat=fixed,force_size=on x 10M"], "x", "-f vpc x"),
        Both("subformat=fixed", "vhdx", ["img create -q -f vhdx -o subformat=fixed x 10M"], "x"),
        Both("static=on", "vdi", ["img create -q -f vdi -o static=on x 10M"], "x"),
        Both("table_size=2", "qed", ["img create -q -f qed -o table_size=2,cluster_size=64k x 10M"], "x"),
    ];

    // Each in both outputs.
    private static ConformanceCase Both(string topic, string format, string[] setup, params string[] arguments) => new()
    {
        Command = "info",
        Topic = topic,
        Format = format,
        Setup = setup,
        Steps = [.. arguments.SelectMany(static a => new[] { $"info {a}", $"info --output=json {a}" })],
    };
}
