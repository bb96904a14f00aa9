namespace ImageCluster.Conformance.Interruptions;

/// <summary>Every command that writes, on every kind of image that it can write.</summary>
internal static class InterruptionCases
{
    private const string Secrets = "--object secret,id=s,data=abc --object secret,id=n,data=new";

    // Of small clusters, so that there are many tables; some in the backing file, some not.
    private static readonly string[] Sources =
    [
        "img create -q -f raw src.raw 400k", "io raw src.raw 'write -P 21 0 90k' 'write -P 22 150k 60k' 'write -P 23 300k 100k'",
        "img create -q -f qcow2 base.qcow2 400k", "io qcow2 base.qcow2 'write -P 1 0 70k' 'write -P 2 100k 100k' 'write -P 3 391k 9k'",
        "img create -q -f qcow2 -o cluster_size=4k other.qcow2 500k", "io qcow2 other.qcow2 'write -P 4 30k 70k' 'write -P 2 150k 50k' 'write -P 5 420k 80k'",
    ];

    private static readonly string[] Filled = ["write -P 11 0 20k", "write -P 12 60k 20k", "write -z 130k 40k", "write -P 13 201k 65k", "write -P 14 330k 20k"];

    private static readonly string[] FilledAgain = ["write -P 15 10k 20k", "write -P 16 205k 3k", "discard 250k 10k", "write -P 17 333k 20k"];

    private static readonly string[] Everywhere =
    [
        "bench -w -c 40 -s 3k -S 9k --pattern=7 {i}", "bench -w -c 10 -d 1 -s 33k -S 21k --pattern=7 {i}", "convert -n --target-image-opts src.raw {t}", "convert -n -c -W --target-image-opts src.raw {t}",
        "resize {i} +300k", "resize --preallocation=metadata {i} +100k", "resize --preallocation=falloc {i} +100k", "resize --preallocation=full {i} +100k", "resize --shrink {i} 200k", "check -r all {i}",
    ];

    private static readonly string[] OnABase = ["commit {i}", "commit -d {i}", "rebase -b '' {i}", "rebase -b other.qcow2 -F qcow2 {i}", "rebase -u -b other.qcow2 -F qcow2 {i}", "rebase -u -b '' {i}"];

    private static readonly string[] Snapshots = ["snapshot -c new {i}", "snapshot -a one {i}", "snapshot -d one {i}"];

    private static readonly string[] Bitmaps =
    [
        "bitmap --add -g 512 {i} new", "bitmap --add -g 512 --disable {i} new", "bitmap --remove {i} marks", "bitmap --clear {i} marks", "bitmap --merge marks --disable {i} still", "bitmap --disable {i} marks", "bitmap --enable {i} still",
    ];

    // QEMU's check -r forgets the snapshots of an image that has bitmaps: an image has the ones or the others.
    private static readonly string[] WithBitmaps = [.. Everywhere, "commit {i}", "rebase -b '' {i}", .. Bitmaps];

    public static IReadOnlyList<InterruptionCase> All { get; } = [.. OfQcow2(), .. OverALonger(), .. OtherFormatCases.All()];

    private static IEnumerable<InterruptionCase> OfQcow2() =>
    [
        .. Qcow2("qcow2", "cluster_size=1k", [.. Everywhere, .. OnABase, .. Snapshots, "amend -o compat=0.10 {i}", "amend -o refcount_bits=64 {i}", "amend -o refcount_bits=8 {i}", "amend -o lazy_refcounts=on {i}", "amend -o size=600k {i}"]),
        .. Qcow2("qcow2 version 2", "cluster_size=1k,compat=0.10", [.. Everywhere.Where(static line => !line.StartsWith("resize", StringComparison.Ordinal)), .. OnABase, .. Snapshots, "amend -o compat=1.1 {i}", "amend -o compat=1.1,refcount_bits=32 {i}"]),
        .. Qcow2("qcow2 lazy", "cluster_size=1k,lazy_refcounts=on", [.. Everywhere, .. OnABase, .. Snapshots, "amend -o lazy_refcounts=off {i}", "amend -o compat=0.10 {i}"]),
        .. Qcow2("qcow2 extended", "cluster_size=16k,extended_l2=on", [.. Everywhere, .. OnABase, .. Snapshots, "amend -o refcount_bits=64 {i}"]),
        .. Qcow2("qcow2 luks", "cluster_size=4k,encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=1", [.. Everywhere, .. OnABase, .. Snapshots, "amend -o refcount_bits=64 {i}", "amend -o encrypt.state=active,encrypt.new-secret=n,encrypt.iter-time=1 {i}"], password: "abc"),
        .. Qcow2("qcow2 aes", "cluster_size=4k,encrypt.format=aes,encrypt.key-secret=s", [.. Everywhere, .. OnABase, .. Snapshots], password: "abc"),
        .. Qcow2("qcow2 bitmaps", "cluster_size=1k", [.. WithBitmaps, "amend -o compat=0.10 {i}", "amend -o refcount_bits=64 {i}"], hasBitmaps: true),
        .. Qcow2("qcow2 lazy bitmaps", "cluster_size=1k,lazy_refcounts=on", WithBitmaps, hasBitmaps: true),
        .. Qcow2("qcow2 extended bitmaps", "cluster_size=16k,extended_l2=on", WithBitmaps, hasBitmaps: true),
        .. Qcow2("qcow2 data file", "cluster_size=4k,data_file=q.data", [.. WithBitmaps, .. OnABase, "amend -o refcount_bits=64 {i}"], hasBitmaps: true),
        .. Qcow2("qcow2 raw data file", "cluster_size=4k,data_file=q.data,data_file_raw=on", [.. WithBitmaps, "amend -o refcount_bits=64 {i}"], hasBitmaps: true, hasBase: false),
    ];

    private static IEnumerable<InterruptionCase> Qcow2(string group, string options, IEnumerable<string> lines, bool hasBitmaps = false, bool hasBase = true, string? password = null)
    {
        View image = new("q.qcow2", "qcow2") { Password = password };
        string opening = string.Join(' ', image.Opening);
        List<string> setup =
        [
            .. Sources,
            $"img create -q {Secrets} -f qcow2 -o {options} {(hasBase ? "-b base.qcow2 -F qcow2 q.qcow2" : "q.qcow2 400k")}",
            Io(Filled),
            .. hasBitmaps ? [$"img bitmap {opening} --add -g 512 marks", $"img bitmap {opening} --add -g 4k --disable still"] : new[] { $"img snapshot {opening} -c one" },
            Io(FilledAgain),
        ];
        List<View> views = [image, .. hasBase ? [new View("base.qcow2", "qcow2"), new View("other.qcow2", "qcow2")] : Array.Empty<View>(), .. password is null ? [] : new[] { image with { Password = "new" } }];
        if (!hasBitmaps)
        {
            views.AddRange(image with { Snapshot = "one" }, image with { Snapshot = "new" });
        }

        string secrets = password is null ? "" : Secrets + " ";
        foreach (string line in lines.Where(line => IsPossible(line, options, hasBase, password)))
        {
            yield return new InterruptionCase(group, line.Replace("{i}", $"{secrets}{string.Join(' ', image.Opening[^2..])}", StringComparison.Ordinal)
                .Replace("{t}", $"{image.Opening[^1]} {secrets}", StringComparison.Ordinal), setup, views);
        }

        string Io(string[] commands) => $"qemu-io {string.Join(' ', image.Opening)} {string.Join(' ', commands.Select(static command => $"-c '{command}'"))}";
    }

    // Where the disk grows, the guest finds zeros at once and not what the backing file has there; its end is in the middle of a cluster, or is not.
    private static IEnumerable<InterruptionCase> OverALonger()
    {
        foreach ((string name, string options, string size) in new[]
        {
            ("small clusters", "cluster_size=1k", "154112"), ("large clusters", "cluster_size=64k", "150k"), ("subclusters", "cluster_size=16k,extended_l2=on", "154112"), ("lazy", "cluster_size=512,lazy_refcounts=on", "150k"),
            ("data file", "cluster_size=4k,data_file=q.data", "154112"), ("version 2", "cluster_size=64k,compat=0.10", "154112"), ("bitmaps", "cluster_size=1k", "154112"),
        })
        {
            string[] setup =
            [
                .. Sources, $"img create -q -f qcow2 -o {options} -b base.qcow2 -F qcow2 q.qcow2 {size}", "io qcow2 q.qcow2 'write -P 11 0 20k' 'write -z 130k 10k'", .. name == "bitmaps" ? ["img bitmap --add q.qcow2 marks"] : Array.Empty<string>(),
                "img create -q -f qcow2 -o cluster_size=1k -b q.qcow2 -F qcow2 top.qcow2 190k", "io qcow2 top.qcow2 'write -P 12 10k 20k' 'write -P 13 160k 3k'",
            ];
            string[] lines =
            [
                "resize q.qcow2 +512", "resize q.qcow2 190k", "resize q.qcow2 9M", "resize --preallocation=metadata q.qcow2 300k", "resize --preallocation=falloc q.qcow2 300k", "resize --preallocation=full q.qcow2 300k", "commit top.qcow2", "commit -d top.qcow2",
                "resize --image-opts driver=copy-on-read,file.driver=qcow2,file.file.filename=q.qcow2 300k", .. name == "version 2" ? Array.Empty<string>() : ["amend -o size=300k q.qcow2"],
            ];
            foreach (string line in lines.Where(line => name != "version 2" || line.Contains("+512", StringComparison.Ordinal) || line.Contains("preallocation=f", StringComparison.Ordinal)))
            {
                yield return new InterruptionCase("qcow2 over a longer one, " + name, line, setup, [new View("q.qcow2", "qcow2"), new View("top.qcow2", "qcow2"), new View("base.qcow2", "qcow2")]);
            }
        }
    }

    private static bool IsPossible(string line, string options, bool hasBase, string? password) =>
        !(line.StartsWith("bench", StringComparison.Ordinal) && password is not null) && !(line.StartsWith("rebase -b other", StringComparison.Ordinal) && password is not null)
        && !(line.Contains("-c -W", StringComparison.Ordinal) && (password is not null || options.Contains("data_file", StringComparison.Ordinal)))
        && (hasBase || !(line.StartsWith("commit", StringComparison.Ordinal) || line.StartsWith("rebase", StringComparison.Ordinal)));
}
