namespace ImageCluster.Conformance.Cases;

/// <summary>blkdebug: what each command says and leaves where reading or writing fails in the middle.</summary>
internal static class DebugCases
{
    private const string SaidOnce = "the same failure and exit code; that its caches could not be stored either is not said again";

    private const string Raw = "driver=raw,file.driver=blkdebug,file.image.filename=a.raw";

    private static readonly string[] Images =
    [
        "img create -q -f qcow2 a.qcow2 1M",
        "io qcow2 a.qcow2 'write -P 1 0 128k' 'write -P 3 512k 64k'",
        "img convert -O raw a.qcow2 a.raw",
        "cp a.raw b.raw",
        "truncate -s 1M zero.raw",
        "truncate -s 0 empty",
        "img create -q -f qcow2 -b a.qcow2 -F qcow2 top.qcow2",
        "io qcow2 top.qcow2 'write -P 5 256k 64k'",
        Config("r", "[inject-error]", "event = none", "sector = 130"),
        Config("once", "[inject-error]", "event = read_aio", "sector = 1030", "once = on"),
        Config("aio", "[inject-error]", "event = read_aio", "errno = 28"),
        Config("status", "[inject-error]", "event = none", "iotype = block-status", "sector = 200"),
        Config("state", "[inject-error]", "event = none", "sector = 4", "state = 2", "", "# a comment", "[set-state]", "event = read_aio", "state = 1", "new_state = 2", "[inject-error]", "event = read_aio", "sector = 5", "state = 2"),
        Config("l2", "[inject-error]", "event = none", "iotype = read", "sector = 384"),
        Config("w", "[inject-error]", "event = none", "iotype = write", "errno = 28"),
        Config("fl", "[inject-error]", "event = none", "iotype = flush", "errno = 5"),
        Config("p1", "[inject-error]", "event = foo"),
        Config("p2", "[inject-error]", "errno = 5"),
        Config("p3", "[foo]", "errno = 5"),
        Config("p5", "event = none"),
        Config("p7", "[inject-error]", "event = none", "once = x"),
        Config("p8", "[inject-error]", "event = none", "iotype = x"),
        Config("p9", "[inject-error]", "event = none", "errno = x"),
        Config("p10", "[inject-error]", "event = none", "foo = 1"),
        "sh -c 'printf \"[inject-error]\\nevent = none\\n\" > p4.conf'",
        "sh -c 'printf \"[inject-error]\\nevent=\\042none\\042\\n\" > p6.conf'",
    ];

    public static IReadOnlyList<ConformanceCase> List { get; } =
    [
        Make("info", "blkdebug: names", "info blkdebug:r.conf:a.raw", "info blkdebug::a.raw", "info blkdebug::a.qcow2", "info blkdebug:nix:a.raw", "info blkdebug:r.conf:nix", "info blkdebug:", "info blkdebug:a.raw", "info -f blkdebug a.raw", "info -f blkdebug blkdebug:r.conf:a.raw",
            "info -f blkdebug nix", "info -f qcow2 blkdebug:once.conf:a.qcow2", "info blkdebug::top.qcow2"),
        Make("info", "blkdebug: configuration files", [.. Enumerable.Range(1, 10).Select(static i => $"info blkdebug:p{i}.conf:a.raw")]),
        Make("info", "blkdebug: options", [.. new[]
        {
            "", ",file.inject-error.0.event=foo", ",file.inject-error.0.errno=5", ",file.inject-error.0.event=none,file.inject-error.0.foo=1", ",file.inject-error.0.event=none,file.inject-error.1.errno=x,file.inject-error.1.event=none", ",file.foo=1", ",file.max-transfer=1",
            ",file.align=3", ",file.align=x", ",file.align=4096", ",file.set-state.0.event=none,file.set-state.0.new_state=3", ",file.config=r.conf", ",file.config=nix", ",file.config=r.conf,file.align=512",
        }.Select(static options => $"info --image-opts {Raw}{options}"), "info --image-opts driver=blkdebug", "info --image-opts driver=blkdebug,image.filename=nix", "info --image-opts driver=blkdebug,config=r.conf,image.filename=a.qcow2",
            "info --image-opts driver=qcow2,file.driver=blkdebug,file.config=once.conf,file.image.filename=a.qcow2"]),
        Make("map", "blkdebug", "map --output=json blkdebug::a.qcow2", "map blkdebug::a.qcow2", "map --output=json -f raw blkdebug::a.raw", "map -f raw blkdebug::a.raw", "map -f raw blkdebug:status.conf:a.raw"),
        .. new[] { "r", "once", "aio", "state", "status", "l2" }.SelectMany(static rules => Reads(rules)),
        .. new[] { "once", "aio", "status" }.Select(static rules => Make("compare", $"exit codes 3 and 4, blkdebug under qcow2: {rules}", $"compare blkdebug:{rules}.conf:a.qcow2 b.raw", $"compare -s b.raw blkdebug:{rules}.conf:a.qcow2")),
        .. new[] { "once", "aio", "state" }.Select(static rules => Make("dd", $"blkdebug: reads that fail: {rules}", $"dd -f raw if=blkdebug:{rules}.conf:a.raw of=x bs=4k")),
        Make("check", "blkdebug", "check blkdebug::a.qcow2", "check blkdebug:aio.conf:a.qcow2"),
        Make("measure", "blkdebug", "measure -O qcow2 -f raw blkdebug:status.conf:a.raw", "measure -O qcow2 -f raw blkdebug:r.conf:a.raw"),
        Make("convert", "qcow2 tables that cannot be read", "convert -m 1 -O raw blkdebug:l2.conf:a.qcow2 x"),
        Make("create", "blkdebug", "create -f qcow2 blkdebug::new 1M", "create -f raw blkdebug::b.raw 1M", "convert -O qcow2 a.raw blkdebug::b.raw", "dd if=a.raw of=blkdebug::b.raw bs=4k", "dd if=a.raw of=foo:b.raw bs=4k"),
        Make("commit", "blkdebug: a base that cannot be written", "rebase -u -b 'json:{\"driver\": \"qcow2\", \"file\": {\"driver\": \"blkdebug\", \"inject-error\": [{\"event\": \"write_aio\", \"errno\": 28, \"once\": true}], \"image\": {\"driver\": \"file\", \"filename\": \"a.qcow2\"}}}' -F qcow2 top.qcow2", "commit top.qcow2", "commit -d top.qcow2", "compare -f qcow2 a.qcow2 top.qcow2"),
        Make("map", "blkdebug: over an overlay", "map --output=json --image-opts driver=blkdebug,image.driver=qcow2,image.file.filename=top.qcow2", "map --image-opts driver=blkdebug,image.driver=qcow2,image.file.filename=top.qcow2"),
        Make("create", "blkdebug: as a backing file", "create -f qcow2 -b blkdebug::a.raw -F raw new", "info new", "convert new x", "create -f qcow2 -b blkdebug:r.conf:a.raw -F raw other", "convert -m 1 other y"),
        Make("dd", "blkdebug: what is left behind a block that cannot be read", "dd -f raw bs=4k if=blkdebug:r.conf:a.raw of=x", "dd -f raw bs=100k skip=1 if=blkdebug:r.conf:a.raw of=y", "dd -f raw bs=512 -O qcow2 if=blkdebug:r.conf:a.raw of=z", "dd -f raw bs=1M if=blkdebug:r.conf:a.raw of=w") with
        {
            Images = ["x:raw", "y:raw", "z:qcow2", "w:raw"],
        },
        .. Events(),
        .. new[] { "w", "fl" }.SelectMany(static rules => Writes(rules)),
        Make("convert", "blkdebug: writes that fail", "convert -m 1 -n -O raw -f raw a.raw blkdebug:w.conf:zero.raw", "bench -w -c 3 -d 1 -f raw blkdebug:w.conf:b.raw", "bench -w -c 3 -d 1 --flush-interval=2 -f raw blkdebug:fl.conf:b.raw"),
    ];

    // What qcow2 tells of its metadata: what was about to be read or written is what fails.
    private static IEnumerable<ConformanceCase> Events()
    {
        const string Image = "blkdebug:event.conf:top.qcow2";
        (string Event, string Command, string Step, DifferencePart Differs)[] told =
        [
            ("reftable_load", "resize", $"resize {Image} 6G", DifferencePart.None),
            ("reftable_load", "snapshot", $"snapshot -d old {Image}", DifferencePart.None),
            ("l2_load", "snapshot", $"snapshot -a old {Image}", DifferencePart.None),
            ("l2_load", "snapshot", $"snapshot -d old {Image}", DifferencePart.Errors),
            ("l2_load", "resize", $"resize --shrink {Image} 512k", DifferencePart.Errors),
            ("l2_load", "amend", $"amend -o compat=0.10 {Image}", DifferencePart.Errors),
            ("cluster_alloc", "resize", $"resize {Image} 6G", DifferencePart.None),
            ("cluster_alloc", "snapshot", $"snapshot -c x {Image}", DifferencePart.None),
            ("l1_grow_alloc_table", "resize", $"resize {Image} 6G", DifferencePart.None),
            ("l1_grow_write_table", "resize", $"resize {Image} 6G", DifferencePart.Errors),
            ("l1_grow_activate_table", "resize", $"resize {Image} 6G", DifferencePart.Errors),
            ("refblock_load", "resize", $"resize {Image} 6G", DifferencePart.Errors),
            ("refblock_update_part", "resize", $"resize {Image} 6G", DifferencePart.Errors),
            ("refblock_update_part", "snapshot", $"snapshot -c x {Image}", DifferencePart.Errors),
            ("refblock_update_part", "snapshot", $"snapshot -d old {Image}", DifferencePart.Errors),
            ("cluster_free", "snapshot", $"snapshot -d old {Image}", DifferencePart.Errors),
        ];
        foreach ((string name, string command, string step, DifferencePart differs) in told)
        {
            yield return Make(command, $"blkdebug: {name}: {step.Replace(Image, "", StringComparison.Ordinal).Trim()}", step) with
            {
                Setup = [.. Images, "img snapshot -c old top.qcow2", Config("event", "[inject-error]", $"event = {name}")],
                Verdict = differs == DifferencePart.None ? Verdict.Same : Verdict.Differs,
                Differs = differs,
                Reason = differs == DifferencePart.None ? "" : SaidOnce,
            };
        }

        // Without snapshots, as qemu-img empties an image then all at once.
        foreach (string name in new[] { "l1_update", "empty_image_prepare", "reftable_update" })
        {
            yield return Make("commit", $"blkdebug: {name}", $"commit {Image}") with { Setup = [.. Images, Config("event", "[inject-error]", $"event = {name}")] };
        }
    }

    private static IEnumerable<ConformanceCase> Reads(string rules)
    {
        string raw = $"blkdebug:{rules}.conf:a.raw";

        // A sector of which nothing is known is named by qemu-img once for each of its passes.
        string quiet = rules == "status" ? "-q " : "";
        yield return Make("convert", $"blkdebug: reads that fail: {rules}", $"convert -m 1 -O raw -f raw {raw} x", $"convert -m 1 {quiet}--salvage -O raw -f raw {raw} y", $"convert -m 1 -q --salvage -O qcow2 -f raw {raw} z");
        if (rules is not ("r" or "l2"))
        {
            string qcow2 = $"blkdebug:{rules}.conf:a.qcow2";
            yield return Make("convert", $"blkdebug under qcow2: {rules}", $"convert -m 1 -O raw {qcow2} x", $"convert -m 1 --salvage -O raw {qcow2} y");
        }

        if (rules != "state")
        {
            yield return Make("compare", $"exit codes 3 and 4, blkdebug: {rules}", $"compare -f raw -F raw {raw} b.raw", $"compare -f raw -F raw b.raw {raw}", $"compare -s -f raw -F raw b.raw {raw}", $"compare -f raw -F raw zero.raw {raw}", $"compare {raw} empty");
        }

        yield return Make("bench", $"blkdebug: reads that fail: {rules}", $"bench -c 3 -d 1 -f raw {raw}");
    }

    // Of the same image each time: what stays behind after a failure is not the same.
    private static IEnumerable<ConformanceCase> Writes(string rules)
    {
        string image = $"blkdebug:{rules}.conf:top.qcow2";
        (string Command, string Step)[] told =
        [
            ("snapshot", $"snapshot -c x {image}"), ("snapshot", $"snapshot -d old {image}"), ("snapshot", $"snapshot -a old {image}"), ("resize", $"resize {image} 2M"), ("resize", $"resize --shrink {image} 512k"), ("commit", $"commit {image}"),
            ("amend", $"amend -o lazy_refcounts=on {image}"),
        ];
        foreach ((string command, string step) in told)
        {
            bool isSame = rules == "w" && (command is "amend" || step.Contains("-d", StringComparison.Ordinal) || step.EndsWith("2M", StringComparison.Ordinal));
            bool hides = rules == "fl" && command is "amend";
            yield return Make(command, $"blkdebug: what cannot be stored: {step.Replace(image, "", StringComparison.Ordinal).Trim()}: {rules}", step) with
            {
                Setup = [.. Images, "img snapshot -c old top.qcow2"],
                Verdict = isSame ? Verdict.Same : hides ? Verdict.Better : Verdict.Differs,
                Differs = isSame ? DifferencePart.None : hides ? DifferencePart.Errors | DifferencePart.ExitCode : DifferencePart.Errors,
                Reason = isSame ? "" : hides
                    ? "what could not be stored ends with exit code 1; qemu-img complains of its caches and ends with 0"
                    : SaidOnce,
            };
        }
    }

    // Values are in quotes, as the files have them.
    private static string Config(string name, params string[] lines) =>
        $"sh -c 'printf \"{string.Join("\\n", lines.Select(static line => line.Replace(" = ", " = \\042", StringComparison.Ordinal) + (line.Contains(" = ", StringComparison.Ordinal) ? "\\042" : "")))}\\n\" > {name}.conf'";

    private static ConformanceCase Make(string command, string topic, params string[] steps) =>
        new() { Command = command, Topic = topic, Setup = Images, Steps = steps, IgnoresDiskSize = true };
}
