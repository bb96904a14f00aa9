namespace ImageCluster.Conformance.Cases;

/// <summary>amend.</summary>
internal static class AmendCases
{
    private const string Key = "--object secret,id=s,data=abc --object secret,id=n,data=new --image-opts";
    private const string Locked = "driver=qcow2,file.filename=q.qcow2,encrypt.key-secret=s";
    private const string LockedLuks = "driver=luks,file.filename=l.luks,key-secret=s";

    private static readonly string[] Images =
    [
        "img create -q -f qcow2 a.qcow2 4M",
        "io qcow2 a.qcow2 'write -P 1 0 1M' 'write -P 2 3M 512k' 'write -z 2M 256k' 'write -z 3M 64k'",
        "img create -q -f raw a.raw 4M",
        "img create -q -f qcow2 -b a.qcow2 -F qcow2 top.qcow2 4M",
        "io qcow2 top.qcow2 'write -P 3 1M 64k' 'write -z 0 128k' 'write -z -u 3M 128k'",
        "cp top.qcow2 s.qcow2",
        "img snapshot -c one s.qcow2",
        "img snapshot -c two s.qcow2",
        "io qcow2 s.qcow2 'write -P 4 1M 128k'",
        "cp s.qcow2 sized.qcow2",
        "img resize -q sized.qcow2 6M",
        "img create -q -f qcow2 shared.qcow2 1M",
        "io qcow2 shared.qcow2 'write -P 5 0 256k'",
        "img snapshot -c one shared.qcow2",
        "io qcow2 shared.qcow2 'write -z 0 128k'",
        "img create -q -f qcow2 -o compat=0.10 old.qcow2 4M",
        "io qcow2 old.qcow2 'write -P 1 0 1M'",
        "img snapshot -c one old.qcow2",
        "img create -q -f qcow2 -o extended_l2=on ext.qcow2 4M",
        "img create -q -f qcow2 -o refcount_bits=8 eight.qcow2 4M",
        "img create -q -f qcow2 -o lazy_refcounts=on lazy.qcow2 4M",
        "img create -q -f qcow2 -o data_file=d.raw d.qcow2 1M",
        "img create -q -f qcow2 -o data_file=r.raw,data_file_raw=on r.qcow2 1M",
        "cp d.raw e.raw",
        "img create -q -f qcow2 -o compression_type=zstd z.qcow2 4M",
        "img convert -c -O qcow2 -o compression_type=zstd a.qcow2 zz.qcow2",
        "img create -q -f qcow2 -o cluster_size=512 small.qcow2 4M",
        "io qcow2 small.qcow2 'write -P 1 0 3M' 'write -z 1M 256k'",
        "img create -q -f qcow2 bm.qcow2 1M",
        "img bitmap --add bm.qcow2 b",
    ];

    // Each key takes qemu-img a second or more: these are made apart.
    private static readonly string[] Encrypted =
    [
        "img create -q --object secret,id=s,data=abc -f qcow2 -o encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=10 q.qcow2 1M",
        "img create -q --object secret,id=s,data=abc -f luks -o key-secret=s,iter-time=10 l.luks 1M",
        "img create -q -f qcow2 a.qcow2 1M",
    ];

    public static IReadOnlyList<ConformanceCase> List { get; } =
    [
        Make("-o help", "amend -f qcow2 -o help", "amend -o help a.qcow2", "amend -f raw -o help", "amend -f vmdk -o help", "amend -f foo -o help", "amend -f luks -o help"),
        Make("errors", "amend", "amend a.qcow2", "amend -o x=1", "amend -o x a b", "amend -o foo=3 a.qcow2", "amend -o lazy_refcounts=on nix", "amend -o refcount_bits=x a.qcow2", "amend -o cluster_size=4k a.qcow2", "amend -o preallocation=full a.qcow2",
            "amend -t foo -o size=1M a.qcow2", "amend -o , a.qcow2", "amend -f raw -o size=3M a.raw", "amend -o size=3M a.raw", "amend -o extended_l2=on a.qcow2", "amend -o compression_type=zlib a.qcow2"),
        Make("-p: the line that ends the progress", "amend -p -o size=x a.qcow2 b.raw", "amend -p -o compat=0.10", "amend -p a.qcow2", "amend -p -t foo -o size=x a.qcow2", "amend -p -f qcow2 -o help a b", "amend -p -f foo -o help a", "amend -p -q -o size=2M a b", "amend -p -o size=5M nix"),
        Make("compat=1.1, lazy_refcounts, size", "amend -o compat=1.1 old.qcow2", "amend -o lazy_refcounts=on old.qcow2", "info old.qcow2", "amend -o lazy_refcounts=off,size=6M old.qcow2", "amend -q -o size=3M old.qcow2", "info old.qcow2",
            "amend -o size=0 old.qcow2", "amend -o refcount_bits=16,compat=v3 old.qcow2") with { Images = ["old.qcow2"], SameLayout = false },
        Make("data_file", "amend -o data_file=e.raw d.qcow2", "info d.qcow2", "amend -o data_file_raw=off r.qcow2", "info r.qcow2", "amend -o data_file_raw=on r.qcow2", "amend -o data_file=nix d.qcow2", "info d.qcow2"),
        Make("what cannot be amended", "amend -o backing_file=x a.qcow2", "amend -o backing_fmt=raw a.qcow2", "amend -o backing_file=a.qcow2,backing_fmt=qcow2 top.qcow2", "amend -o backing_file=a.qcow2 top.qcow2", "amend -o data_file=x.raw a.qcow2",
            "amend -o data_file_raw=on a.qcow2", "amend -o encrypt.state=active a.qcow2", "amend -o compat=0.42 a.qcow2", "amend -o compat= a.qcow2", "amend -o refcount_bits=3 a.qcow2", "amend -o refcount_bits=0 a.qcow2",
            "amend -o refcount_bits=128 a.qcow2", "amend -o compat=0.10,refcount_bits=8 a.qcow2", "amend -o compat=0.10,lazy_refcounts=on a.qcow2"),
        Make("compat=0.10", "amend -o compat=0.10 a.qcow2", "info a.qcow2", "amend -o compat=v3 a.qcow2", "amend -o compat=v2 small.qcow2", "amend -o compat=0.10 lazy.qcow2", "info lazy.qcow2", "amend -o compat=0.10 z.qcow2", "info z.qcow2",
            "amend -o compat=0.10,refcount_bits=16 eight.qcow2", "info eight.qcow2") with { Images = ["a.qcow2", "small.qcow2", "lazy.qcow2", "z.qcow2", "eight.qcow2"], SameLayout = false },
        Make("compat=0.10: backing file and snapshots", "amend -o compat=0.10 top.qcow2", "amend -o compat=0.10 s.qcow2", "convert -O raw -l one s.qcow2 one", "convert -O raw s.qcow2 now", "amend -o compat=0.10,size=4M sized.qcow2", "snapshot -l s.qcow2") with
        {
            Images = ["top.qcow2", "s.qcow2", "sized.qcow2", "one:raw", "now:raw"],
            SameLayout = false,
        },
        Make("compat=0.10: refused", "amend -o compat=0.10 ext.qcow2", "amend -o compat=0.10 d.qcow2", "amend -o compat=0.10 eight.qcow2", "amend -o compat=0.10 sized.qcow2", "amend -o compat=0.10 zz.qcow2", "amend -o compat=0.10,lazy_refcounts=on a.qcow2") with
        {
            Images = ["zz.qcow2"],
        },
        Make("compat=0.10: a zero cluster whose room a snapshot uses", "amend -o compat=0.10 shared.qcow2", "convert -O raw -l one shared.qcow2 one", "check shared.qcow2") with
        {
            Verdict = Verdict.Better,
            Differs = DifferencePart.Said,
            Reason = "the snapshot keeps its data; qemu-img 7.2 writes zeros over it",
        },
        .. new[] { "luks,encrypt.iter-time=10", "aes" }.Select(static encryption => Make($"compat=0.10: zero clusters, {encryption.Split(',')[0]}", $"amend {Key} -o compat=0.10 {Locked}", $"compare {Key} driver=raw,file.filename=now.raw {Locked}") with
        {
            Setup = [.. Zeros(encryption)],
            Verdict = Verdict.Better,
            Differs = DifferencePart.Said,
            Reason = "what read as zeros still does; with qemu-img 7.2 the guest finds what zeros decrypt to",
        }),
        Make("compat=0.10: bitmaps", "amend -o compat=0.10 bm.qcow2", "info bm.qcow2", "check bm.qcow2") with
        {
            Verdict = Verdict.Better,
            Differs = DifferencePart.Said,
            Reason = "the bitmaps go, as with qemu-img, and their clusters are given back; qemu-img leaves them as leaks",
        },
        Make("refcount_bits", "amend -o refcount_bits=1 a.qcow2", "info a.qcow2", "amend -o refcount_bits=64 a.qcow2", "amend -o refcount_bits=2 small.qcow2", "amend -o refcount_bits=32 small.qcow2", "amend -o refcount_bits=1 s.qcow2",
            "amend -o refcount_bits=2 s.qcow2", "info s.qcow2", "amend -o refcount_bits=8,compat=1.1,lazy_refcounts=on old.qcow2", "info old.qcow2") with { Images = ["a.qcow2", "small.qcow2", "s.qcow2", "old.qcow2"], SameLayout = false },
        Make("-p -q -t", "amend -q -p -o refcount_bits=8 a.qcow2", "amend -t none -o refcount_bits=16 a.qcow2", "amend -t writethrough -o compat=0.10 a.qcow2", "amend --image-opts -o compat=1.1 driver=qcow2,file.filename=a.qcow2", "amend --force -o size=5M a.qcow2"),
        Make("encryption keys", $"amend {Key} -o encrypt.state=active,encrypt.new-secret=n,encrypt.keyslot=2,encrypt.iter-time=10 {Locked}", $"amend {Key} -o encrypt.state=inactive,encrypt.old-secret=s {Locked}", $"amend {Key} -o encrypt.state=inactive,encrypt.keyslot=2 {Locked}",
            $"amend {Key} -o encrypt.state=active {Locked}", $"amend {Key} -o encrypt.state=foo {Locked}", $"amend {Key} -o encrypt.state=active,encrypt.new-secret=nix {Locked}", "amend -o encrypt.state=inactive,encrypt.keyslot=0 q.qcow2") with { Setup = Encrypted },
        Make("encryption keys", $"amend {Key} -o state=active,new-secret=n,iter-time=10 {LockedLuks}", $"amend {Key} -o state=inactive,keyslot=0 {LockedLuks}", $"amend {Key} -o state=inactive,keyslot=1 {LockedLuks}", $"amend {Key} -o state=active {LockedLuks}",
            $"amend {Key} -o state=active,new-secret=n,old-secret=s {LockedLuks}", $"amend {Key} -o keyslot=3 {LockedLuks}", "amend -f luks -o state=inactive,keyslot=0 l.luks") with { Setup = Encrypted, Format = "luks" },
    ];

    // Zero clusters that hide the backing file's data.
    private static string[] Zeros(string encryption) =>
    [
        "img create -q -f raw b.raw 1M", "io raw b.raw 'write -P 7 0 1M'",
        $"img create -q --object secret,id=s,data=abc -f qcow2 -o encrypt.format={encryption},encrypt.key-secret=s,backing_file=b.raw,backing_fmt=raw q.qcow2",
        $"qemu-io --object secret,id=s,data=abc --image-opts -c 'write -P 1 0 64k' -c 'write -z 0 64k' -c 'write -z 512k 100k' {Locked}", $"img convert {Key} -O raw {Locked} now.raw",
    ];

    private static ConformanceCase Make(string topic, params string[] steps) =>
        new() { Command = "amend", Topic = topic, Format = "qcow2", Setup = Images, Steps = steps, IgnoresDiskSize = true };
}
