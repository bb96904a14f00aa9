namespace ImageCluster.Conformance.Cases;

/// <summary>Which of two mistakes is told; and what is told of an image that lies in another.</summary>
internal static class ReasonCases
{
    private const string Probed = "vote-threshold=1,children.0.file.filename=a.qcow2";

    private static readonly string[] Images =
    [
        "mkdir dir", "img create -q -f raw a.raw 1M", "io raw a.raw 'write -P 1 0 64k'", "img create -q -f qcow2 a.qcow2 1M", "cp a.qcow2 b.qcow2", "img convert -f raw -O vmdk a.raw a.vmdk",
    ];

    // What is wrong with the options of each format.
    private static readonly (string Format, string[] Options)[] Wrong =
    [
        ("qcow2",
        [
            "-F qcow2", "-F foo", "-o cluster_size=3", "-o compat=foo", "-o preallocation=foo", "-o lazy_refcounts=on,compat=0.10", "-o data_file_raw=on", "-o encrypt.format=foo", "-o encrypt.key-secret=x", "-o encrypt.format=aes", "-o encrypt.format=aes,encryption=on", "-o encrypt.format=luks",
            "-o encrypt.format=luks,encrypt.key-secret=q", "-o compression_type=foo", "-o encrypt.format=luks,encrypt.cipher-alg=foo", "-o refcount_bits=3",
        ]),
        ("qcow", ["-o encrypt.key-secret=s", "-o encrypt.format=luks", "-o encrypt.format=aes", "-o encryption=on", "-o encryption=on,encrypt.format=aes", "-o preallocation=foo", "-F foo"]),
        ("qed", ["-o cluster_size=3", "-o table_size=3", "-o preallocation=foo", "-F foo"]),
        ("vdi", ["-o static=foo", "-o preallocation=foo"]),
        ("vpc", ["-o subformat=foo", "-o preallocation=foo"]),
        ("vhdx", ["-o subformat=foo", "-o block_size=3M", "-o log_size=3", "-o preallocation=foo"]),
        ("parallels", ["-o cluster_size=1000", "-o preallocation=foo"]),
        ("vmdk", ["-o subformat=foo", "-o adapter_type=foo", "-o zeroed_grain=on,subformat=monolithicFlat", "-o preallocation=foo", "-o preallocation=metadata", "-o compat6=on,hwversion=3"]),
        ("raw", ["-o preallocation=foo", "-o preallocation=metadata"]),
        ("luks", ["-o key-secret=q", "-o iter-time=0", "-o cipher-alg=foo", "-o preallocation=foo"]),
    ];

    // Images that hold little, and a base that is full.
    private static readonly string[] Alone =
    [
        "img create -q -f raw full.raw 1M", "io raw full.raw 'write -P 9 0 1M'", "img convert -f raw -O vmdk full.raw full.vmdk", "img create -q -f qcow2 alone.qcow2 1M", "io qcow2 alone.qcow2 'write -P 1 0 100k'", "img snapshot -c one alone.qcow2", "img create -q -f raw short.raw 500k", "io raw short.raw 'write -P 9 0 500k'",
        "img create -q -f qcow2 -b short.raw -F raw over.qcow2 1M", "io qcow2 over.qcow2 'write -P 1 600k 64k'", "img create -q -f qcow2 -b full.raw -F raw t.qcow2", .. new[] { "vmdk", "vdi", "vpc" }.SelectMany(static format => new[] { $"img create -q -f {format} {(format == "vpc" ? "-o force_size=on" : "")} alone.{format} 1M", $"io {format} alone.{format} 'write -P 1 0 100k'" }),
    ];

    private static readonly string[] WithoutModes = ["raw", "qcow", "qed", "vpc", "vhdx", "parallels", "vmdk"];

    public static IReadOnlyList<ConformanceCase> List { get; } =
    [
        .. Wrong.Select(static wrong => Make("create", "a file that cannot be made, and options that are wrong", wrong.Format, [.. wrong.Options.SelectMany(options => new[] { "nix/x", "dir", "''" }.Select(name => $"create -q -f {wrong.Format} {options} {name} 1M"))])),
        Make("convert", "a file that cannot be made, and options that are wrong", "", "convert -O qcow2 -o cluster_size=3 a.raw nix/x", "convert -O qcow2 -B a.raw -F RAW a.raw ''", "convert -O vdi -o preallocation=foo a.raw nix/x", "convert -O qcow -o encryption=on a.raw dir"),
        Make("create", "options that are wrong, and a size from 2^63 on", "qcow2", [.. Wrong[0].Options.Select(static options => $"create -q -f qcow2 {options} x 9223372036854775807"), "create -q -f qcow2 x 9223372036854775807"]),
        Make("create", "-o preallocation=metadata, which files do not have", "", [.. WithoutModes.Select(static format => $"create -q -f {format} -o preallocation=metadata {format} 1M")]) with
        {
            Verdict = Verdict.Better,
            Differs = DifferencePart.Files,
            Reason = "the same refusals; no file is left behind",
        },
        Make("info", "quorum: images whose format is probed", "", $"info --image-opts driver=quorum,{Probed},children.1.file.filename=a.raw", $"info --image-opts driver=quorum,{Probed},children.1.file.driver=quorum,children.1.file.vote-threshold=1,children.1.file.children.0.file.filename=b.qcow2",
            $"info --output=json --image-opts driver=raw,file.driver=quorum,file.{Probed.Replace(",", ",file.", StringComparison.Ordinal)},file.children.1.file.filename=a.vmdk"),
        Make("info", "a raw image on another's disk", "", "info --output=json --image-opts driver=raw,file.driver=qcow2,file.file.filename=a.qcow2", "info --image-opts driver=raw,file.driver=vmdk,file.file.filename=a.vmdk", "info --output=json --image-opts driver=raw,file.driver=raw,file.file.filename=a.raw",
            "info --output=json --image-opts driver=raw,file.driver=quorum,file.vote-threshold=1,file.children.0.driver=raw,file.children.0.file.filename=a.raw"),
        Make("info", "objects of a running machine", "", [.. new[] { "iothread", "can-bus", "memory-backend-ram", "memory-backend-ram,foo=1", "rng-random", "pr-manager-helper", "authz-simple", "sev-guest", "input-linux", "nix" }.Select(static type => $"info --object {type},id=x a.raw"), "info --object iothread a.raw"]),
        Make("create", "ciphers that do not go together, and a password that is not there", "qcow2", [.. new[] { "encrypt.cipher-mode=cbc,encrypt.ivgen-alg=essiv,encrypt.ivgen-hash-alg=sha1", "encrypt.cipher-alg=des", "encrypt.cipher-alg=3des,encrypt.iter-time=10" }.Select(static options => $"create -q -f qcow2 -o encrypt.format=luks,encrypt.key-secret=s,{options} x 1M"),
            "create -q -f luks -o key-secret=s,cipher-alg=des x 1M", "create -q -f luks -o key-secret=s,cipher-mode=cbc,ivgen-alg=essiv,ivgen-hash-alg=sha1 x 1M"]),
        Make("convert", "-B: a format that is not the backing file's, which the image does not store", "qed", "convert -B a.qcow2 -F qed -O qed a.raw x", "convert -B a.qcow2 -F raw -O qed a.raw y", "info x", "info y", "convert -B a.raw -F qcow2 -O qcow a.raw z", "info z", "map z"),
        Make("measure", "what cannot be told of, where it is not needed", "qcow2", "measure -O qcow2 -o preallocation=falloc bad.qcow2", "measure -O qcow2 -o preallocation=full bad.qcow2", "measure -O qcow2 -o preallocation=metadata bad.qcow2", "measure -O qcow2 -o backing_file=x bad.qcow2") with
        {
            Setup = ["img create -q -f qcow2 bad.qcow2 1M", "io qcow2 bad.qcow2 'write -P 1 0 300k'", "io raw bad.qcow2 'write -P 2 262150 1'"],
        },
        Make("create", "a size that nobody can open", "parallels", "create -f parallels x 1P", "create -f parallels -o cluster_size=4M y 1P", "info y") with
        {
            Verdict = Verdict.Better,
            Differs = DifferencePart.Said | DifferencePart.Files,
            Reason = "it is refused; qemu-img 7.2 makes an image that it then finds too large to open",
        },
        Make("info", "options that nobody knows, of the image and of its backing file", "vmdk", "info --image-opts driver=vmdk,file.filename=a.vmdk,backing.foo=1,overlap-check=x", "info --image-opts driver=vmdk,file.filename=a.vmdk,backing.foo=1,bar=x,zz=1,backing.file.x=1", "rebase -u -b '' --image-opts driver=qcow2,file.filename=a.qcow2,backing.foo=1,size=1M"),
        Make("info", "properties of throttle groups", "", [.. new[] { "x-bps-total=x", "x-bps-total=1000", "foo=1", "x-iops-size=", "x-iops-write-max-length=0" }.Select(static property => $"info --object throttle-group,id=tg,{property} a.raw")]),
        Make("map", "values that a driver refuses, and a password that is missing", "qcow2", "map --image-opts driver=qcow2,file.filename=e.qcow2,lazy-refcounts=x", "check --image-opts driver=qcow2,file.filename=e.qcow2,lazy-refcounts=on", "snapshot -d x --image-opts driver=qcow2,file.filename=e.qcow2,offset=64k,overlap-check=x") with
        {
            Setup = ["img create -q -f qcow2 --object secret,id=s,data=abc -o encrypt.format=aes,encrypt.key-secret=s e.qcow2 1M"],
        },
        Make("map", "values that a driver refuses, and a backing file that is not there", "qcow2", "map --image-opts driver=qcow2,file.filename=o.qcow2,cache-size=1M,l2-cache-size=2M", "map --image-opts driver=qcow2,file.filename=o.qcow2,lazy-refcounts=x", "map --image-opts driver=qcow2,file.filename=o.qcow2,foo=1", "map --image-opts driver=qcow2,file.filename=o.qcow2,l2-cache-size=1M") with
        {
            Setup = ["img create -q -f qcow2 -u -b gone.raw -F raw o.qcow2 1M"],
        },
        Make("resize", "-f file: a name with its protocol", "", "resize -f file file:nix 1000", "info -f file file:a.raw", "resize -f file file:a.raw 2M", "info -f file nix", "info -f file file:./a.raw", "info -f file file:file:a.raw"),
        Make("commit", "-b, and an empty string for no backing file", "qcow2", "commit -b b.qcow2 --image-opts driver=qcow2,file.filename=a.qcow2,backing=", "commit --image-opts driver=vmdk,file.filename=a.vmdk,backing="),
        .. new[] { "leaks", "all" }.Select(static repair => Make("check", $"-r {repair}: bitmaps and snapshots", "qcow2", $"check -r {repair} both.qcow2", "snapshot -l both.qcow2") with
        {
            Setup = ["img create -q -f qcow2 both.qcow2 1M", "img bitmap --add both.qcow2 b", "io qcow2 both.qcow2 'write -P 1 0 64k'", "img snapshot -c one both.qcow2"],
            Verdict = Verdict.Better,
            Differs = DifferencePart.Said,
            Reason = "nothing is wrong and nothing is done; qemu-img 7.2 takes the clusters of the snapshots for leaks, and loses all snapshots",
        }),
        Make("bitmap", "a granularity that is wrong, of a format without bitmaps", "vmdk", "bitmap --add -g 100 a.vmdk b", "bitmap --add -g 100 a.vmdk ''", "bitmap --add -g 64k a.vmdk b", "bitmap --add a.vmdk b"),
        Make("convert", "-l of the first of several", "qcow2", "convert -l snapshot.name=one -O raw alone.qcow2 full.raw x", "convert -l snapshot.id=1 -O qcow2 alone.qcow2 over.qcow2 y", "convert -l one -O raw alone.qcow2 full.raw z") with { Setup = Alone, Images = ["x:raw", "y"], SameLayout = false },
        Make("convert", "-B: a source that stands on nothing", "qcow2", "convert -O qcow2 -B full.raw -F raw alone.qcow2 x", "convert -O qcow2 -B full.raw -F raw alone.vdi y", "convert -O qcow2 -B full.raw -F raw alone.vmdk z", "convert -O vmdk -B full.vmdk -F vmdk alone.qcow2 w", "compare alone.qcow2 x", "compare alone.vdi y", "compare alone.vmdk z", "compare alone.qcow2 w",
            "convert -O qcow2 -B full.raw -F raw -l one alone.qcow2 v", "convert -n -O qcow2 -B full.raw -F raw alone.qcow2 t.qcow2", "compare alone.qcow2 t.qcow2", "convert -O qcow2 -B full.raw -F raw alone.vpc u", "compare alone.vpc u") with { Setup = Alone, Images = ["x", "y", "z", "w", "v", "u", "t.qcow2"], SameLayout = false },
        Make("convert", "-B: a source that stands on less than it has", "qcow2", "convert -O qcow2 -B full.raw -F raw over.qcow2 x", "compare over.qcow2 x") with
        {
            Setup = Alone,
            Verdict = Verdict.Better,
            Differs = DifferencePart.Output | DifferencePart.ExitCode,
            Reason = "the target shows what the source shows; with qemu-img 7.2 the new backing file shines through where the source's own has ended",
        },
        Make("map", "a name with its protocol", "", "map file:a.raw", "map --output=json file:a.raw", "map file:./a.raw", "map file:a.vmdk"),
    ];

    private static ConformanceCase Make(string command, string topic, string format, params string[] steps) =>
        new() { Command = command, Topic = topic, Format = format, Setup = Images, Steps = steps, IgnoresDiskSize = true };
}
