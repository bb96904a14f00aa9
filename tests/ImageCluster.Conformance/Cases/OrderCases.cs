namespace ImageCluster.Conformance.Cases;

/// <summary>Of several things that are wrong, the one that is said.</summary>
internal static class OrderCases
{
    private static readonly string[] Images =
    [
        "img create -q -f raw a.raw 1M", "img create -q -f qcow2 a.qcow2 1M", "img create -q -f qed a.qed 1M", "img create -q -f parallels a.parallels 1M", "img create -q -f vdi a.vdi 1M", "img create -q -f qcow2 -b a.raw -F raw top.qcow2",
    ];

    public static IReadOnlyList<ConformanceCase> List { get; } =
    [
        .. new[] { "qcow", "qcow2" }.Select(static format => Make("create", "encryption and encrypt.format", format, [.. new[] { "encrypt.format=luks,encryption=on", "encrypt.format=aes,encryption=on", "encrypt.format=aes,encryption=off", "encrypt.format=foo,encryption=on" }
            .Select(options => $"create -f {format} -o {options} x 1M")]) with
        {
            Verdict = format == "qcow" ? Verdict.Better : Verdict.Same,
            Differs = format == "qcow" ? DifferencePart.Files : DifferencePart.None,
            Reason = format == "qcow" ? "the same refusals; no file is left behind" : "",
        }),
        Make("snapshot", "-U of a name of no protocol", "", "snapshot -U -c 3 foo:bar", "snapshot -U -c 3 nix"),
        Make("convert", "-t with an unknown mode, and a target that cannot be made", "", "convert -t foo -O luks a.raw x", "convert -t foo -O qcow2 -o foo=1 a.raw x", "convert -t foo -O qcow2 -o cluster_size=7 a.raw x", "convert -t foo -n -O qcow2 a.raw a.qcow2"),
        Make("rebase", "-b: a name that cannot be taken apart", "", "rebase -q -b a.vmdk -F nbd top.qcow2", "rebase -q -b 'json:{\"driver\": \"raw\", \"driver\": \"raw\"}' top.qcow2", "rebase -q -b 'json:{\"driver\": \"foo\"}' top.qcow2"),
        Make("map", "options of a backing file that nothing names", "", "map --image-opts driver=parallels,file.filename=a.parallels,backing.foo=1", "map --image-opts driver=parallels,file.filename=a.parallels,backing.driver=raw", "map --image-opts driver=qed,file.filename=a.qed,backing.foo=1",
            "map --image-opts driver=qed,file.filename=a.qed,backing.driver=raw", "map --image-opts driver=vdi,file.filename=a.vdi,backing.foo=1", "map --image-opts driver=qed,file.filename=a.qed,backing.file.filename=a.raw", "map --image-opts driver=parallels,file.filename=a.parallels,backing.file.filename=a.raw"),
        Make("map", "flags before names", "", "map --image-opts driver=vmdk,file.filename=,read-only=foo", "map --image-opts driver=raw,file.filename=a.raw,file.read-only=foo,read-only=bar", "map --image-opts driver=raw,file.filename=a.raw,file.aio=foo,read-only=bar", "map --image-opts driver=raw,read-only=foo", "map --image-opts driver=foo,file.filename=a.raw,read-only=bar"),
    ];

    private static ConformanceCase Make(string command, string topic, string format, params string[] steps) =>
        new() { Command = command, Topic = topic, Format = format, Setup = Images, Steps = steps, IgnoresDiskSize = true };
}
