namespace ImageCluster.Conformance.Cases;

/// <summary>
/// Images on a web server: <c>{web}</c> in a step is the address of one that serves the case's inputs. Conversions have one coroutine: with more,
/// qemu-img 7.2 loses one now and then, and waits for ever with every answer read and nothing asked.
/// </summary>
internal static class WebCases
{
    private static readonly string[] Served =
    [
        "img create -q -f raw a.raw 3M",
        "io raw a.raw 'write -P 1 0 100k' 'write -P 2 1M 64k' 'write -P 3 2100k 1'",
        "img convert -O qcow2 a.raw a.qcow2",
        "img convert -O qcow2 -c a.raw c.qcow2",
        "img convert -O vmdk -o subformat=streamOptimized a.raw a.vmdk",
        "img convert -O vhdx a.raw a.vhdx",
        "img create -q -f qcow2 -b a.qcow2 -F qcow2 top.qcow2",
        "io qcow2 top.qcow2 'write -P 5 512k 128k' 'write -z 1M 64k'",
        "img snapshot -c one top.qcow2",
    ];

    public static IReadOnlyList<ConformanceCase> List { get; } =
    [
        Steps("info", "over http", "info {web}/a.raw", "info {web}/a.qcow2", "info {web}/a.vhdx", "info --output=json {web}/a.qcow2", "info {web}/top.qcow2", "info --backing-chain {web}/top.qcow2", "info -U {web}/a.raw"),
        Steps("map", "over http", "map {web}/a.raw", "map {web}/a.qcow2", "map --output=json {web}/top.qcow2", "map --output=json {web}/a.vhdx"),
        Steps("check", "over http", "check {web}/a.qcow2", "check {web}/top.qcow2", "check {web}/a.raw", "check -r all {web}/a.qcow2"),
        Steps("measure", "over http", "measure -O qcow2 {web}/a.raw", "measure -O raw {web}/a.qcow2", "measure -O qcow2 {web}/top.qcow2"),
        Steps("compare", "over http", "compare {web}/a.raw a.raw", "compare {web}/a.qcow2 {web}/c.qcow2", "compare {web}/top.qcow2 a.raw", "compare {web}/nix a.raw"),
        Steps("snapshot", "over http", "snapshot -l {web}/top.qcow2", "snapshot -c two {web}/top.qcow2"),
        Steps("convert", "over http", "convert -m 1 -O qcow2 {web}/a.raw x", "convert -m 1 -O raw {web}/c.qcow2 y", "convert -m 1 -O raw {web}/top.qcow2 z", "convert -m 1 -O raw {web}/a.vmdk v", "convert -m 1 -O raw -l one {web}/top.qcow2 s")
            with { Images = ["x", "y:raw", "z:raw", "v:raw", "s:raw"] },
        Steps("convert", "onto http", "convert -m 1 a.raw {web}/x", "convert -m 1 -O qcow2 a.raw {web}/x", "convert -m 1 -n a.raw {web}/a.raw", "convert -m 1 {web}/nix x"),
        Steps("create", "over http", "create -f raw {web}/x 1M", "create -f qcow2 {web}/x 1M"),
        Steps("create", "over a backing file on http", "create -q -f qcow2 -b {web}/a.qcow2 -F qcow2 x", "info x", "convert -m 1 -O raw x y") with { Images = ["x", "y:raw"] },
        Steps("dd", "over http", "dd -O raw bs=64k count=3 if={web}/a.qcow2 of=x") with { Images = ["x:raw"] },
        Steps("rebase", "onto http", "create -q -f qcow2 -b a.qcow2 -F qcow2 x", "rebase -f qcow2 -F qcow2 -b {web}/a.qcow2 x", "info x") with { Images = ["x"] },
        Steps("info", "over http: errors", "info {web}/nix", "info -f qcow2 {web}/a.raw", "info http:abc", "info https:/x/y"),
        Steps("info", "over http: options", "info 'json:{\"driver\":\"raw\",\"file\":{\"driver\":\"http\",\"url\":\"{web}/a.raw\"}}'", "info --image-opts driver=qcow2,file.driver=http,file.url={web}/a.qcow2",
            "info --image-opts driver=raw,file.driver=https,file.url={web}/a.raw"),
        Steps("info", "over http: a password in the address", "info http://user:secret@127.0.0.1:1/x") with
        {
            Verdict = Verdict.Differs,
            Differs = DifferencePart.Errors,
            Reason = "refused, for other users see command lines: credentials come from a netrc file or the environment",
        },
        Steps("info", "a disk in an appliance", "info ova:nix.ova#disk1.vmdk") with
        {
            Verdict = Verdict.Better,
            Differs = DifferencePart.Errors,
            Reason = "`ova:FILE#DISK` and `tar:FILE#MEMBER` are read in place; qemu-img does not know them",
        },
        Steps("info", "an object of an object store", "info s3://x/y") with
        {
            Verdict = Verdict.Better,
            Differs = DifferencePart.Errors,
            Reason = "`s3://BUCKET/KEY` is read by ranges, and written by convert, create and dd; qemu-img does not know it",
        },
    ];

    private static ConformanceCase Steps(string command, string topic, params string[] steps) =>
        new() { Command = command, Topic = topic, Setup = Served, Steps = steps, NeedsWeb = true };
}
