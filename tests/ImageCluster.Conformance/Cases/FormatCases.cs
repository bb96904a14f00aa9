namespace ImageCluster.Conformance.Cases;

/// <summary>What each format can do and what it refuses, and how formats are told apart.</summary>
internal static class FormatCases
{
    private const string Luks = "driver=luks,key-secret=s,file.filename=x.luks";
    private const string Secret = "--object secret,id=s,data=abc";

    // QEMU measures its own processor time, and gives up where a busy machine gives it little.
    private static readonly string[] LuksImage =
    [
        $"sh -c 'for i in 1 2 3 4 5 6 7 8 9 10 11 12; do qemu-img create -q -f luks {Secret} -o key-secret=s,iter-time=10 x.luks 3M && break; done; test -s x.luks'",
    ];

    // Where two formats' marks fit into one file, the order of asking shows.
    private static readonly (string Name, string Text)[] Marks =
    [
        ("qcow2", @"QFI\373\000\000\000\003"),
        ("qcow", @"QFI\373\000\000\000\001"),
        ("vhdx", "vhdxfile"),
        ("qed", @"QED\000"),
        ("parallels", @"WithoutFreeSpace\002\000\000\000"),
        ("parallels2", @"WithouFreSpacExt\002\000\000\000"),
        ("parallels3", @"WithoutFreeSpace\003\000\000\000"),
        ("vpc", "conectix"),
        ("luks", @"LUKS\272\276\000\001"),
        ("luks2", @"LUKS\272\276\000\002"),
        ("cloop", @"#!/bin/sh\n#V2.0 Format\nmodprobe cloop"),
    ];

    public static IReadOnlyList<ConformanceCase> List { get; } =
    [
        .. new[] { ("vdi", ""), ("vdi", "static=on"), ("vpc", ""), ("vpc", "subformat=fixed"), ("vhdx", ""), ("vmdk", ""), ("vmdk", "subformat=monolithicFlat"), ("qed", ""), ("qcow", ""), ("parallels", "") }
            .Select(static f => Resize(f.Item1, f.Item2)),
        .. new[] { "vdi", "vpc", "vhdx", "vmdk", "qcow", "parallels" }.Select(CannotDo),
        .. new[] { "vdi", "vpc", "vhdx", "vmdk", "qed", "qcow", "parallels" }.Select(CreateErrors),
        .. new[] { "bochs", "cloop", "dmg" }.Select(ReadOnly),
        .. new[] { "vdi", "vpc", "vmdk", "qed", "qcow", "parallels" }.Select(static format => Make("measure", "as a source", format,
            [$"img create -q -f {format} x 10M", $"io {format} x 'write -P 1 1M 64k' 'write -P 2 5M 1M'"], $"measure -f {format} -O qcow2 x", $"measure -f {format} -O raw x", $"measure -O {format} --size 5M")),
        Make("measure", "as a source", "vhdx", ["img create -q -f vhdx x 10M", "io vhdx x 'write -P 1 1M 64k'"], "measure -f vhdx -O qcow2 x") with
        {
            Verdict = Verdict.Better,
            Differs = DifferencePart.Output,
            Reason = "blocks without data are not counted; qemu-img counts the whole disk",
        },
        Make("check", "-r", "vdi", ["img create -q -f vdi x 10M"], "check -r all x") with { Verdict = Verdict.Better, Differs = DifferencePart.Said, Reason = "leaks are repaired; qemu-img has no repair of vdi" },
        Make("create", "-o preallocation=metadata", "vdi", [], "create -f vdi -o preallocation=metadata x 10M", "info -f vdi x") with
        {
            Verdict = Verdict.Better,
            Differs = DifferencePart.Said,
            Reason = "makes a static image; qemu-img 7.2 refuses what its own help offers",
        },
        .. new[]
        {
            ("raw", "preallocation=foo"), ("vdi", "preallocation=foo"), ("vdi", "static=foo"), ("vpc", "force_size=foo"), ("vhdx", "subformat=foo"), ("vhdx", "block_size=foo"), ("vhdx", "block_size=3M"),
            ("vhdx", "block_size=512M"), ("vhdx", "log_size=3"), ("vhdx", "log_size=5G"), ("qed", "table_size=foo"), ("parallels", "cluster_size=3"),
        }
        .GroupBy(static o => o.Item1).Select(static g => Make("create", "values that are refused", g.Key, [], [.. g.Select(o => $"create -f {o.Item1} -o {o.Item2} x 1M")])),
        .. new[] { ("vhdx", "create -f vhdx y 65T"), ("vpc", "create -f vpc y 2T"), ("vpc", "create -f vpc -o subformat=foo x 1M"), ("qcow", "create -f qcow -o encryption=on z 1M"), ("qed", "create -f qed -o table_size=3 x 1M") }
            .GroupBy(static o => o.Item1).Select(static g => Make("create", "what is refused late", g.Key, [], [.. g.Select(static o => o.Item2)]) with
            {
                Verdict = Verdict.Better,
                Differs = DifferencePart.Files,
                Reason = "no file is left behind",
            }),
        Make("create", "64 TiB", "vhdx", [], "create -f vhdx x 64T", "info x"),
        Make("create", "2040 GiB", "vpc", [], "create -f vpc x 2040G", "info -f vpc x"),
        Make("info", "encrypted", "qcow", ["img create -q -f qcow --object secret,id=s,data=abc -o encrypt.format=aes,encrypt.key-secret=s x 1M"],
            "info x", "info --output=json x", "check x", "map x", "map --object secret,id=s,data=abc --image-opts driver=qcow,encrypt.key-secret=s,file.filename=x", "convert x -O raw y"),
        Make("convert", "backing files", "qed",
            ["img create -q -f raw a 3M", "io raw a 'write -P 1 1M 64k'", "img create -q -f qed -b a -F raw x", "io qed x 'write -P 2 2M 64k'"],
            "info x", "convert -f qed -O raw x y", "compare y x", "rebase -f qed -u -b a x", "rebase -f qed -u -b a -F raw x", "info x", "commit -f qed x", "create -f qed -b a z"),
        .. new[] { "qcow2", "vmdk", "vdi", "qcow", "parallels" }.Select(static format => Make("convert", "an image that was cut short", format,
            ["img create -q -f raw a 6M", "io raw a 'write -P 1 0 3M'", $"img convert -f raw -O {format} a x", "truncate -s 1M x"], $"info -f {format} x", $"convert -f {format} -O raw x y") with
        {
            Verdict = Verdict.Better,
            Differs = DifferencePart.Errors | DifferencePart.ExitCode,
            Reason = "an error; qemu-img reads zeros where the file has ended, without a word",
        }),
        .. new[] { "vpc", "qed" }.Select(static format => Make("info", "an image that was cut short", format,
            ["img create -q -f raw a 6M", "io raw a 'write -P 1 0 3M'", $"img convert -f raw -O {format} a x", "cp x y", "cp x z", "cp x w", "truncate -s 1M x", "truncate -s 511 y", "truncate -s 64 z", "truncate -s 0 w"],
            [.. "xyzw".Select(file => $"info -f {format} {file}")])),
        Make("info", "probing: one mark", "", [.. Marks.Select(static m => Mark(m.Name, m.Text))], [.. Marks.Select(static m => $"info {m.Name}")]),
        Make("info", "probing: vdi and another mark", "",
            [.. Marks.Select(static m => Mark(m.Name, m.Text)), .. Marks.Select(static m => $"sh -c \"printf '\\177\\020\\332\\276' | dd of={m.Name} bs=1 seek=64 conv=notrunc status=none\"")],
            [.. Marks.Select(static m => $"info {m.Name}")]),
        Make("info", "probing: short files", "",
            [.. Marks.SelectMany(static m => new[] { 1, 4, 8, 20, 511 }.Select(length => $"sh -c \"printf '{m.Text}' > {m.Name}.{length}; truncate -s {length} {m.Name}.{length}\""))],
            [.. Marks.SelectMany(static m => new[] { 1, 4, 8, 20, 511 }.Select(length => $"info {m.Name}.{length}"))]),
        Make("info", "plain", "luks", LuksImage, "info x.luks", "info --output=json x.luks", $"info --image-opts {Luks.Replace("key-secret=s,", "", StringComparison.Ordinal)}", "check x.luks", "map x.luks", "snapshot -l x.luks"),
        Make("map", "data", "luks", LuksImage, $"map {Secret} --image-opts {Luks}", $"map {Secret} --output=json --image-opts {Luks}"),
        Make("resize", "grow and shrink", "luks", LuksImage, $"resize {Secret} --image-opts {Luks} 5M", $"resize {Secret} --image-opts {Luks} 1M", $"resize {Secret} --shrink --image-opts {Luks} 1000000", "info x.luks"),
        Make("create", "-o help", "luks", [], "create -f luks -o help", "amend -f luks -o help"),
        Make("create", "values that the format refuses", "luks", [],
            [
                "create -f luks y 1M", "create -f luks -o key-secret=s y 1M",
                .. new[] { "iter-time=10,cipher-alg=cast5-128", "iter-time=10,cipher-alg=des", "iter-time=10,cipher-alg=foo", "cipher-mode=foo", "ivgen-alg=foo", "hash-alg=foo" }
                    .Select(static o => $"create -q -f luks {Secret} -o key-secret=s,{o} y 1M"),
            ]),
        Make("convert", "passwords", "luks", LuksImage, $"convert --image-opts driver=luks,key-secret=s,file.filename=x.luks -O raw r.raw", $"convert --object secret,id=s,data=wrong --image-opts {Luks} -O raw r.raw", "convert -f luks x.luks -O raw r.raw", $"convert {Secret} --image-opts {Luks} -O raw r.raw", $"compare {Secret} --image-opts {Luks} driver=raw,file.filename=r.raw"),
    ];

    private static ConformanceCase Resize(string format, string options)
    {
        string o = options.Length > 0 ? $"-o {options} " : "";
        return Make("resize", $"grow and shrink {options}".TrimEnd(), format, [$"img create -q -f {format} {o}x 10M", $"io {format} x 'write -P 1 1M 64k' 'write -P 2 5M 1M'"],
            $"resize -f {format} x 20M", $"info -f {format} x", $"resize -f {format} x 5M", $"resize -f {format} --shrink x 5M", $"info -f {format} x", $"resize -f {format} x +1", $"resize -f {format} --preallocation=full x 30M", $"check -f {format} x", $"map -f {format} --output=json x");
    }

    private static ConformanceCase CannotDo(string format) => Make("snapshot", "what the format does not have", format, [$"img create -q -f {format} x 10M"],
        $"snapshot -l x", "snapshot -c a x", $"amend -f {format} -o size=5M x", $"amend -f {format} -o help", $"rebase -u -b y -F raw -f {format} x", $"commit -f {format} x", $"info -f {format} x");

    private static ConformanceCase CreateErrors(string format) => Make("create", "what is refused", format, [],
        $"create -f {format} -b nix -F raw x 1M", $"create -f {format} -o foo=1 x 1M", $"create -f {format} x 63E", $"create -f {format} -o help x", $"convert -O {format} -o help x y");

    private static ConformanceCase ReadOnly(string format) => Make("measure", "cannot be written", format, [],
        $"create -f {format} x 1M", $"create -f {format} -o help x", $"measure -O {format} --size 1M", $"convert -O {format} x y", $"amend -f {format} -o help");

    private static string Mark(string name, string text) => $"sh -c \"printf '{text}' > {name}; truncate -s 65536 {name}\"";

    private static ConformanceCase Make(string command, string topic, string format, IReadOnlyList<string> setup, params IReadOnlyList<string> steps) =>
        new() { Command = command, Topic = topic, Format = format, Setup = setup, Steps = steps, IgnoresDiskSize = true };
}
