namespace ImageCluster.Conformance.Cases;

/// <summary>Of several things that are wrong, the one that is said.</summary>
internal static class OrderCases
{
    private static readonly string[] Images =
    [
        "img create -q -f raw a.raw 1M", "img create -q -f qcow2 a.qcow2 1M", "img create -q -f qed a.qed 1M", "img create -q -f parallels a.parallels 1M", "img create -q -f vdi a.vdi 1M", "img create -q -f qcow2 -b a.raw -F raw top.qcow2",
        "cp a.raw a.dmg", "img create -q -f vpc a.vpc 1M", "sh -c 'seq 1 2000 > junk'", "mkdir dir",
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
        Make("map", "a format that only a name tells, of a node", "dmg", "map --image-opts file.filename=a.dmg", "info --image-opts file.filename=a.dmg", "info 'json:{\"file.filename\":\"a.dmg\"}'"),
        Make("rebase", "-b: options of the new backing file", "", "rebase -b 'json:{\"driver\": \"parallels\", \"file\": {\"driver\": \"file\", \"filename\": \"a.parallels\"}, \"size\": 1024}' top.qcow2", "rebase -b nix -F raw top.qcow2", "rebase -b a.raw -F qcow2 top.qcow2"),
        Make("snapshot", "-U of a file that is for reading only", "vpc", "snapshot -q --image-opts -U -d x driver=vpc,file.filename=a.vpc,file.read-only=on", "snapshot -q --image-opts -U -d x driver=vpc,file.filename=a.vpc,read-only=on", "snapshot -q --image-opts -d x driver=vpc,file.filename=a.vpc,file.read-only=on"),
        Make("info", "offset within the last sector", "raw", "info --image-opts driver=raw,file.filename=junk,offset=512k", "info --image-opts driver=raw,file.filename=junk,offset=8894", "info --image-opts driver=raw,file.filename=junk,offset=9000", "info --image-opts driver=raw,file.filename=junk,size=9216",
            "info --image-opts driver=raw,file.filename=junk,size=9728"),
        Make("amend", "directories as formats that are only read", "", "amend -o refcount_bits=1 -f cloop dir", "amend -o refcount_bits=1 -f cloop nix", "bench -w -f bochs dir"),
        Make("bench", "-n with -i", "", "bench -n -i io_uring -c 3 -f raw a.raw", "bench -n -i threads -c 3 -f raw a.raw", "bench -i native -i threads -c 3 -f raw a.raw"),
        Make("map", "options of a backing file before those of the image", "", "map --image-opts file.filename=top.qcow2,force_size_calc=x,backing.foo=1", "map --image-opts driver=qcow2,file.filename=top.qcow2,foo=1,backing.bar=1"),
        Make("info", "names of filters' images that QEMU uses itself", "", "info --image-opts driver=blkverify,x-raw=a.raw,x-image=a.qcow2", "info --image-opts driver=blkdebug,x-image=a.raw", "info --image-opts driver=blkverify,x-image=a.raw"),
        Make("map", "flags before names", "", "map --image-opts driver=vmdk,file.filename=,read-only=foo", "map --image-opts driver=raw,file.filename=a.raw,file.read-only=foo,read-only=bar", "map --image-opts driver=raw,file.filename=a.raw,file.aio=foo,read-only=bar", "map --image-opts driver=raw,read-only=foo", "map --image-opts driver=foo,file.filename=a.raw,read-only=bar"),
    ];

    private static ConformanceCase Make(string command, string topic, string format, params string[] steps) =>
        new() { Command = command, Topic = topic, Format = format, Setup = Images, Steps = steps, IgnoresDiskSize = true };
}
