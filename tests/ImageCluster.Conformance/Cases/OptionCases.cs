namespace ImageCluster.Conformance.Cases;

/// <summary>Options of the manual page that no other table has.</summary>
internal static class OptionCases
{
    private static readonly string[] Images =
    [
        "img create -q -f qcow2 a.qcow2 4M",
        "io qcow2 a.qcow2 'write -P 1 0 1M' 'write -P 2 2M 1M'",
        "img convert -O raw a.qcow2 a.raw",
        "img snapshot -c one a.qcow2",
        "img create -q -f qcow2 -b a.qcow2 -F qcow2 t.qcow2",
        "cp a.raw pw",
    ];

    public static IReadOnlyList<ConformanceCase> List { get; } =
    [
        new() { Command = "measure", Topic = "the rest of the manual", Setup = Images, IgnoresDiskSize = true, Steps =
        [
            "measure -l one -O qcow2 a.qcow2", "measure -l snapshot.name=one -O raw a.qcow2", "measure -l nix -O raw a.qcow2",
            "measure --output=json --size 1G -O qcow2", "measure -U -O qcow2 a.qcow2",
        ] },
        new() { Command = "create", Topic = "numbers beyond 64 bits", Setup = Images, IgnoresDiskSize = true, Steps =
        [
            "create -f qcow2 -o size=18446744073709551616 x", "create -f qcow2 -o cluster_size=16E x 1M", "create -f qcow2 -o refcount_bits=18446744073709551616 x 1M", "create -f vhdx -o log_size=99999P x 1M",
            "create -f qcow2 x 18446744073709551616", "create -f qcow2 x 16E", "amend -o size=16E a.qcow2",
            "resize a.qcow2 +18446744073709551616", "resize a.qcow2 18446744073709551616", "resize a.qcow2 16E",
        ] },
        new() { Command = "check", Topic = "the rest of the manual", Setup = Images, IgnoresDiskSize = true, Steps =
        [
            "check -U a.qcow2", "check -T none --output=json a.qcow2", "check -q a.qcow2",
            "check -r leaks -U a.qcow2", "check -r foo a.qcow2",
        ] },
        new() { Command = "compare", Topic = "the rest of the manual", Setup = Images, IgnoresDiskSize = true, Steps =
        [
            "compare -T none a.raw a.qcow2", "compare -U -p -q a.raw a.qcow2",
        ] },
        new() { Command = "snapshot", Topic = "the rest of the manual", Setup = Images, IgnoresDiskSize = true, Steps =
        [
            "snapshot -U -l a.qcow2", "snapshot -U -c x a.qcow2", "snapshot -lq a.qcow2",
        ] },
        new() { Command = "resize", Topic = "the rest of the manual", Setup = Images, IgnoresDiskSize = true, Steps =
        [
            "resize --object secret,id=s,file=pw a.qcow2 5M",
        ] },
        new() { Command = "rebase", Topic = "the rest of the manual", Setup = Images, IgnoresDiskSize = true, Steps =
        [
            "rebase -U -u -b '' t.qcow2", "rebase -u -b a.qcow2 -F qcow2 -t none t.qcow2", "rebase -U -b a.qcow2 -F qcow2 t.qcow2",
            "rebase -T foo -b a.qcow2 -F qcow2 t.qcow2", "rebase -t foo -b a.qcow2 -F qcow2 t.qcow2",
        ] },
        new() { Command = "commit", Topic = "the rest of the manual", Setup = Images, IgnoresDiskSize = true, Steps =
        [
            "commit -t foo t.qcow2", "commit -b nix t.qcow2", "commit -d t.qcow2",
        ] },
        new() { Command = "dd", Topic = "the rest of the manual", Setup = Images, IgnoresDiskSize = true, Steps =
        [
            "dd -U if=a.raw of=b.raw bs=1M count=2", "dd -f qcow2 -O raw if=a.qcow2 of=c.raw bs=1k skip=3",
        ] },
        new() { Command = "map", Topic = "the rest of the manual", Setup = Images, IgnoresDiskSize = true, Steps =
        [
            "map -U --output=json -s 1M -l 1M a.qcow2", "map --start-offset=8M a.qcow2", "map --start-offset=8M --output=json a.qcow2",
            "map --max-length=0 --output=json a.qcow2",
        ] },
        new() { Command = "create", Topic = "the rest of the manual", Setup = Images, IgnoresDiskSize = true, Steps =
        [
            "create -f qcow2 -u -b nix -F raw x.qcow2 1M", "create -f qcow2 -b nix -F raw y.qcow2 1M", "create -f qcow2 -b nix -F raw y.qcow2",
            "create -f qcow2 -o backing_file=a.raw,backing_fmt=raw,size=2M z.qcow2", "create -q -f raw r 1.5G", "create -f raw r2 1k",
            "create -f raw r3 -1", "create -f raw r4 0x100", "create -f raw r5 1e3",
            "create -f raw r6 9E", "create -f raw r7 1M foo",
        ] },
    ];
}
