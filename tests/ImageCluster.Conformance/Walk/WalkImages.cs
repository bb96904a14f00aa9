namespace ImageCluster.Conformance.Walk;

/// <summary>What a walk's commands find: images of every format in many states, and what is no image.</summary>
internal static class WalkImages
{
    private const string Secret = "--object secret,id=s,data=abc";
    private const string Writes = "'write -P 1 0 300k' 'write -P 2 700k 64k' 'write -z 768k 64k'";

    /// <summary>Formats whose images qemu-img makes, with the images that are of each.</summary>
    public static IReadOnlyDictionary<string, string[]> OfFormat { get; } = new Dictionary<string, string[]>
    {
        ["raw"] = ["a.raw", "b.raw", "long.raw", "zero.raw", "odd.raw", "tiny.raw"],
        ["qcow2"] =
        [
            "a.qcow2", "a.qcow2", "top.qcow2", "top.qcow2", "tip.qcow2", "s.qcow2", "s.qcow2", "m.qcow2", "v2.qcow2", "ext.qcow2", "d.qcow2", "c.qcow2", "z.qcow2", "small.qcow2", "lazy.qcow2",
            "leak.qcow2", "bad.qcow2", "orphan.qcow2", "short.qcow2", "e.qcow2", "empty.qcow2",
        ],
        ["vmdk"] = ["a.vmdk", "a.vmdk", "flat.vmdk", "split.vmdk", "stream.vmdk", "top.vmdk"],
        ["vdi"] = ["a.vdi", "static.vdi"],
        ["vpc"] = ["a.vpc", "fixed.vpc"],
        ["vhdx"] = ["a.vhdx", "fixed.vhdx"],
        ["qed"] = ["a.qed", "top.qed"],
        ["qcow"] = ["a.qcow", "top.qcow"],
        ["parallels"] = ["a.parallels"],
        ["luks"] = ["a.luks"],
        ["bochs"] = ["a.bochs"],
        ["cloop"] = ["a.cloop"],
        ["dmg"] = ["a.dmg"],
    };

    /// <summary>Names of what cannot be an image.</summary>
    public static string[] Wrong { get; } = ["nix", "dir", "void", "junk", "dir/nix", "nix/x", ".", "''", "foo:bar", "file:a.raw", "file:nix", "link", "dead"];

    public static IReadOnlyList<string> Setup { get; } =
    [
        "img create -q -f raw a.raw 1M", $"io raw a.raw {Writes}",
        "cp a.raw b.raw", "io raw b.raw 'write -P 9 512k 1k'",
        "cp a.raw long.raw", "truncate -s 1536k long.raw",
        "truncate -s 1M zero.raw", "truncate -s 100000 odd.raw", "io raw odd.raw 'write -P 5 1000 9000'", "truncate -s 512 tiny.raw",
        "img create -q -f qcow2 a.qcow2 1M", $"io qcow2 a.qcow2 {Writes}",
        "img create -q -f qcow2 -b a.qcow2 -F qcow2 top.qcow2", "io qcow2 top.qcow2 'write -P 3 100k 100k' 'write -z 0 64k'",
        "img create -q -f qcow2 -o cluster_size=4k -b top.qcow2 -F qcow2 tip.qcow2 1200k", "io qcow2 tip.qcow2 'write -P 4 900k 200k' 'write -P 4 20k 4k'",
        "img create -q -f qcow2 s.qcow2 1M", "io qcow2 s.qcow2 'write -P 1 0 300k'", "img snapshot -c one s.qcow2", "io qcow2 s.qcow2 'write -P 2 100k 300k'", "img snapshot -c two s.qcow2", "img snapshot -c 2 s.qcow2",
        "img create -q -f qcow2 m.qcow2 1M", "img bitmap --add m.qcow2 b0", "img bitmap --add -g 4k --disable m.qcow2 b1", $"io qcow2 m.qcow2 {Writes}",
        "img create -q -f qcow2 -o compat=0.10 v2.qcow2 1M", $"io qcow2 v2.qcow2 {Writes}",
        "img create -q -f qcow2 -o extended_l2=on ext.qcow2 1M", $"io qcow2 ext.qcow2 {Writes}",
        "img create -q -f qcow2 -o data_file=d.data d.qcow2 1M", $"io qcow2 d.qcow2 {Writes}",
        "img convert -c -O qcow2 a.raw c.qcow2", "img convert -c -O qcow2 -o compression_type=zstd,cluster_size=16k a.raw z.qcow2",
        "img create -q -f qcow2 -o cluster_size=512 small.qcow2 1M", $"io qcow2 small.qcow2 {Writes}",
        "img create -q -f qcow2 -o lazy_refcounts=on lazy.qcow2 1M", $"io qcow2 lazy.qcow2 {Writes}",
        "cp a.qcow2 leak.qcow2", "io raw leak.qcow2 'write -P 1 131112 2'",
        "cp a.qcow2 bad.qcow2", "io raw bad.qcow2 'write -P 2 262150 1'",
        "img create -q -f qcow2 -u -b gone.raw -F raw orphan.qcow2 1M",
        "img create -q -f qcow2 -b long.raw -F raw short.qcow2 500k",
        $"img create -q {Secret} -f qcow2 -o encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=10 e.qcow2 1M",
        "img create -q -f qcow2 empty.qcow2 0",
        "img create -q -f vmdk a.vmdk 1M", $"io vmdk a.vmdk {Writes}", "img create -q -f vmdk -o subformat=monolithicFlat flat.vmdk 1M", $"io vmdk flat.vmdk {Writes}",
        "img create -q -f vmdk -o subformat=twoGbMaxExtentSparse split.vmdk 1M", "img convert -f raw -O vmdk -o subformat=streamOptimized a.raw stream.vmdk",
        "img create -q -f vmdk -b a.vmdk -F vmdk top.vmdk", "io vmdk top.vmdk 'write -P 3 100k 100k'",
        "img create -q -f vdi a.vdi 1M", $"io vdi a.vdi {Writes}", "img create -q -f vdi -o static=on static.vdi 1M",
        "img create -q -f vpc -o force_size=on a.vpc 1M", $"io vpc a.vpc {Writes}", "img create -q -f vpc -o subformat=fixed,force_size=on fixed.vpc 1M",
        "img create -q -f vhdx a.vhdx 1M", $"io vhdx a.vhdx {Writes}", "img create -q -f vhdx -o subformat=fixed fixed.vhdx 1M",
        "img create -q -f qed a.qed 1M", $"io qed a.qed {Writes}", "img create -q -f qed -b a.raw -F raw top.qed", "io qed top.qed 'write -P 3 100k 100k'",
        "img create -q -f qcow a.qcow 1M", $"io qcow a.qcow {Writes}", "img create -q -f qcow -b a.raw -F raw top.qcow", "io qcow top.qcow 'write -P 3 100k 100k'",
        "img create -q -f parallels a.parallels 1M", $"io parallels a.parallels {Writes}",
        $"sh -c 'for i in 1 2 3 4 5 6 7 8 9 10 11 12; do qemu-img create -q -f luks {Secret} -o key-secret=s,iter-time=10 a.luks 1M && break; done; test -s a.luks'",
        "sample bochs a.bochs", "sample cloop a.cloop", "sample dmg a.dmg",
        "mkdir dir", "touch void", "sh -c 'seq 1 2000 > junk'", "ln -s a.qcow2 link", "ln -s nowhere dead",
    ];
}
