namespace ImageCluster.Conformance.Cases;

/// <summary>How images of a chain are named: relative to what, with which prefixes, with which driver, and what need not be there for it.</summary>
internal static class ChainNameCases
{
    private const string Secret = "--object secret,id=s,data=abc";

    private static readonly string[] Chain =
    [
        "mkdir sub",
        "img create -q -f qcow2 sub/base.qcow2 1M",
        "img create -q -f qcow2 -b base.qcow2 -F qcow2 sub/mid.qcow2",
        "img create -q -f qcow2 -b mid.qcow2 -F qcow2 sub/top.qcow2",
        "io qcow2 sub/top.qcow2 'write -P 3 64k 64k'",
        "img create -q -f qcow2 base.qcow2 1M",
        "cp base.qcow2 image:base.qcow2",
        "img create -q -f qcow2 -b ./image:base.qcow2 -F qcow2 ./image:top.qcow2",
        "img create -q -f qcow2 -u -b /nowhere -F raw over.qcow2 1M",
        "img create -q -f qcow2 -o data_file=data.raw lost.qcow2 1M",
        "rm data.raw",
    ];

    // Names of QEMU's drivers that are no formats, and some that are no names of drivers.
    private static readonly string[] Drivers =
        ["host_device", "file", "nbd", "blkdebug", "copy-on-read", "null-co", "quorum", "throttle", "https", "ssh", "iscsi", "rbd", "blkreplay", "iser", "host_cdrom", "vvfat", "nix", "sheepdog"];

    public static IReadOnlyList<ConformanceCase> List { get; } =
    [
        Make("commit", "-b is relative to the overlay", "commit -b sub/mid.qcow2 sub/top.qcow2", "commit -b ./mid.qcow2 sub/top.qcow2", "commit -b file:mid.qcow2 sub/top.qcow2", "commit -b base.qcow2 sub/top.qcow2", "map --output=json sub/base.qcow2", "commit -b top.qcow2 sub/top.qcow2"),
        Make("info", "file: before a name with a colon", "info file:image:top.qcow2", "info image:top.qcow2", "info --backing-chain ./image:top.qcow2", "map file:image:top.qcow2", "check file:image:top.qcow2", "info file:over.qcow2", "info --backing-chain file:sub/top.qcow2", "info file:nix:nix"),
        Make("rebase", "-u -F with any driver", [.. Drivers.SelectMany(static name => new[] { $"rebase -u -b /dev/null -F {name} over.qcow2", "info over.qcow2" })]),
        .. new[] { "qcow2", "qed", "qcow" }.Select(static format =>
            Make("create", "-u -F with any driver", [.. Drivers.Select(name => $"create -f {format} -u -b /nowhere -F {name} {name}.x 1M")]) with
            {
                Format = format,
                Verdict = format == "qed" ? Verdict.Better : Verdict.Same,
                Differs = format == "qed" ? DifferencePart.Files : 0,
                Reason = format == "qed" ? "no file is left behind by a command that failed" : "",
            }),
        Make("create", "a backing file whose data file is not there", "create -f qcow2 -b lost.qcow2 -F qcow2 new.qcow2", "create -f qcow2 -b lost.qcow2 -F qcow2 new2.qcow2 2M"),
        Make("create", "a backing file whose key is not given", "create -f qcow2 -b enc.luks -F luks new.qcow2", "create -f qcow2 -b enc.qcow2 -F qcow2 new2.qcow2 2M", "create -f qcow2 -b aes.qcow2 -F qcow2 new3.qcow2") with
        {
            Setup =
            [
                $"img create -q {Secret} -f luks -o key-secret=s,iter-time=10 enc.luks 1M",
                $"img create -q {Secret} -f qcow2 -o encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=10 enc.qcow2 1M",
                $"img create -q {Secret} -f qcow2 -o encrypt.format=aes,encrypt.key-secret=s aes.qcow2 1M",
            ],
        },
        Make("create", "a key that is no text", "create -f luks --object secret,id=s,file=key -o key-secret=s x.luks 1M", "create -f qcow2 --object secret,id=s,file=key -o encrypt.format=luks,encrypt.key-secret=s x.qcow2 1M",
            "create -f qcow2 --object secret,id=s,file=key -o encrypt.format=aes,encrypt.key-secret=s y.qcow2 1M") with
        {
            Setup = ["sh -c \"printf '\\072\\377' > key\""],
        },
    ];

    private static ConformanceCase Make(string command, string topic, params string[] steps) =>
        new() { Command = command, Topic = topic, Setup = Chain, Steps = steps, IgnoresDiskSize = true };
}
