using System.Globalization;

namespace ImageCluster.Conformance.Cases;

/// <summary>Persistent bitmaps: the command, and every other command on images that have some.</summary>
internal static class BitmapCases
{
    private const int Table = 0x40000;
    private const int Directory = 0x50000;
    private const int Extension = 512;
    private const int Autoclear = 95;

    private static readonly string LongestName = new('n', 1023);

    private static readonly string[] Images =
    [
        "img create -q -f qcow2 a 10M",
        "img create -q -f qcow2 b 10M",
        "img bitmap --add b on",
        "img bitmap --add -g 4k --disable b off",
        "img bitmap --add -g 1M b wide",
        "io qcow2 b 'write -P 1 1M 256k' 'write -P 2 5000k 4k' 'write -z 8M 100k' 'discard 9M 64k'",
        "img bitmap --merge on b off",
        "img bitmap --clear b wide",
        "io qcow2 b 'write -P 3 3M 64k'",
        "img create -q -f qcow2 big 20M",
        "img bitmap --add big on",
        "img create -q -f qcow2 -o compat=0.10 old 10M",
        "img create -q -f qcow2 -u -b gone -F qcow2 orphan 10M",
        "img create -q -f raw raw 10M",
        "img create -q -f vmdk vmdk 10M",
        "img create -q -f qcow2 -o cluster_size=512 small 10M",
        "img create -q -f qcow2 -o cluster_size=2M huge 4096T",
        "img create -q -f qcow2 empty 0",
    ];

    // Overlays that are smaller than their base, with bitmaps that are finer than clusters.
    private static readonly string[] Overlays =
    [
        "img create -q -f qcow2 base 4M",
        "io qcow2 base 'write -P 1 0 4M'",
        "img bitmap --add -g 4k base low",
        "img create -q -f qcow2 -o cluster_size=8k two 80384",
        "io qcow2 two 'write -P 43 13824 6k' 'write -P 226 37376 43008'",
        "img create -q -f qcow2 -b base -F qcow2 top 2M",
        "img bitmap --add -g 4k top high",
        "img create -q -f qcow2 -o extended_l2=on,cluster_size=32k -b base -F qcow2 ext 2M",
        "img bitmap --add -g 512 ext high",
    ];

    private static readonly string[] Chain =
    [
        "img create -q -f qcow2 base 4M",
        "io qcow2 base 'write -P 1 0 2M'",
        "img bitmap --add base low",
        "img bitmap --add --disable base still",
        "img create -q -f qcow2 -b base -F qcow2 top",
        "img bitmap --add top high",
        "io qcow2 top 'write -P 2 1M 128k' 'write -z 2M 64k'",
        "img create -q -f qcow2 other 4M",
        "io qcow2 other 'write -P 1 0 1M'",
        "img create -q -f qcow2 s 4M",
        "img snapshot -c one s",
        "img bitmap --add s marks",
        "io qcow2 s 'write -P 2 1M 128k'",
    ];

    // A bitmap that was in use when the machine was cut off.
    private static readonly string[] Inconsistent =
    [
        "img create -q -f qcow2 x 10M", "img bitmap --add x bad", "img bitmap --add --disable x badtoo", "io raw x 'write -P 3 458767 1' 'write -P 1 458799 1'", "img bitmap --add x good",
        "img create -q -f qcow2 y 10M", "img bitmap --add y bad",
    ];

    public static IReadOnlyList<ConformanceCase> List { get; } =
    [
        Make("--add", "bitmap --add a new", "bitmap --add -g 512 a fine", "bitmap --add -g 2G a coarse", "bitmap --add --disable a resting", "bitmap --add -g 0 a usual", "bitmap --add small new", $"bitmap --add a {LongestName}", "info a", "info --output=json a", "info small") with { Images = ["a", "small"], SameLayout = false },
        Make("--add into an image that has some", "bitmap --add b new", "info b") with { Images = ["b"], SameLayout = false },
        Make("--remove", "bitmap --remove b off", "info b", "bitmap --remove b wide", "bitmap --remove b on", "info b", "check b") with { Images = ["b"], SameLayout = false },
        Make("--clear", "bitmap --clear b on", "bitmap --clear b off", "bitmap --clear b off", "check --output=json a") with { Images = ["b"], SameLayout = false },
        Make("--enable --disable", "bitmap --disable b on", "info b", "bitmap --enable b off", "bitmap --enable b off", "info b") with { Images = ["b"], SameLayout = false },
        Make("--merge", "bitmap --merge off b on", "bitmap --merge on b wide", "bitmap --merge wide b off", "bitmap --merge on b on") with { Images = ["b"], SameLayout = false },
        Make("--merge -b", "bitmap --add a x", "bitmap --merge off -b b a x", "bitmap --merge on -b b -F qcow2 a x", "bitmap --add orphan x", "bitmap --merge x -b orphan a x") with { Images = ["a"], SameLayout = false },
        Over("record writes over a backing file", "bench -w -c 1 -o 574976 -s 6144 --pattern=5 top", "bench -w -c 2 -o 999936 -s 66560 --pattern=6 top", "bench -w -c 1 -o 100k -s 512 --pattern=0 ext", "info top"),
        Over("record nothing where the disk grows over its backing file", "resize top 3M", "resize ext 2500k", "resize --shrink top 1M", "resize top 4M", "info top"),
        Over("record what rebase copies", "rebase -b two -F qcow2 top", "rebase -b two -F qcow2 ext", "rebase -b '' top", "info top"),
        Over("record what commit copies", "bench -w -c 1 -o 300k -s 3k --pattern=5 top", "commit top", "info base"),
        Make("several actions", "bitmap --add --merge on --disable b x", "bitmap --merge off --clear --merge on --enable b x", "bitmap --remove --add -g 1M --merge on b x", "bitmap --disable --remove b wide", "info b") with { Images = ["b"], SameLayout = false },
        Make("what was done before an error stays", "bitmap --add --merge nix b x", "bitmap --clear --merge nix b on", "bitmap --remove --clear b wide", "info b") with { Images = ["b"], SameLayout = false },
        Make("--image-opts --object", "bitmap --image-opts --add driver=qcow2,file.filename=a x", "bitmap --object secret,id=s,data=abc --remove a x", "bitmap --image-opts -f qcow2 --add a x", "bitmap --image-opts --add driver=foo x", "bitmap --add 'json:{\"driver\":\"qcow2\",\"file.filename\":\"a\"}' y", "info a") with { Images = ["a"] },
        Make("errors", "bitmap --add a", "bitmap --add a ''", "bitmap --add -g 3 a c", "bitmap --add -g 256 a c", "bitmap --add -g 3k a c", "bitmap --add -g 4G a c", "bitmap --add -g -1 a c", "bitmap --add -g 1x a c", "bitmap --add b on", "bitmap --remove b nix", "bitmap --clear b nix",
            "bitmap --enable b nix", "bitmap --disable b nix", "bitmap --merge nix b on", "bitmap --merge on b nix", "bitmap --merge nix b nix", "bitmap --merge on -b b b on", "bitmap --merge on -b nix b on", "bitmap --merge on -b b -F foo b on", "bitmap --merge on -b raw -F raw b on",
            "bitmap --merge on -b big b on", "bitmap --merge on -b b big on", $"bitmap --add a {LongestName}n", "bitmap --add old x", "bitmap --remove old x", "bitmap --add orphan x", "bitmap --add -f vmdk vmdk x", "bitmap --remove -f vmdk vmdk x", "bitmap --merge x -f vmdk vmdk x",
            "bitmap --add -g 512 huge x", "bitmap --add huge x", "bitmap --add -g 2M huge x", "bitmap --add", "bitmap --foo a x", "bitmap -q --add a x"),
        Make("granularity of 4 GiB and more", "bitmap --add -g 6G a c") with
        {
            Verdict = Verdict.Better,
            Differs = DifferencePart.Errors | DifferencePart.ExitCode,
            Reason = "refused; qemu-img 7.2 drops the bits beyond 32 and makes a bitmap of another granularity",
        },
        Make("disk of size 0", "bitmap --add empty x") with { Verdict = Verdict.Better, Differs = DifferencePart.Errors | DifferencePart.ExitCode, Reason = "refused with exit code 1; qemu-img says that the bitmap is lost, with exit code 0" },
        With("in use", Inconsistent, "info x", "info --output=json x", "bitmap --clear x bad", "bitmap --enable x bad", "bitmap --disable x badtoo", "bitmap --merge good x bad", "bitmap --merge bad x good", "bitmap --merge bad x badtoo", "bitmap --merge bad -b x y bad", "bitmap --merge bad -b y x bad",
            "bitmap --add x bad", "bitmap --add --merge bad x new", "resize x 20M", "check --output=human -q x", "measure -O qcow2 x", "bitmap --remove x bad", "bitmap --remove x badtoo", "bitmap --remove --add x badtoo", "info x", "resize x 20M") with { Images = ["x"], SameLayout = false },
        With("--bitmaps", "convert", Images, "convert --bitmaps -O qcow2 b x", "info x", "convert --bitmaps -O qcow2 -o cluster_size=4k b y", "convert --bitmaps -c -O qcow2 b z") with { Images = ["x", "y", "z"], SameLayout = false },
        With("--bitmaps -n", "convert", Images, "convert --bitmaps -n -O qcow2 b a", "convert --bitmaps -n -O qcow2 b a", "convert --bitmaps -n -O qcow2 b big", "convert --bitmaps -n -O qcow2 b small", "convert --bitmaps -n --target-image-opts b driver=qcow2,file.filename=orphan") with { Images = ["a", "big", "small"], SameLayout = false },
        With("--bitmaps: sources", "convert", Images, "convert --bitmaps -O qcow2 a x", "convert --bitmaps -O qcow2 old y", "convert --bitmaps -O qcow2 raw y", "convert --bitmaps -O qcow2 b b y", "convert --skip-broken-bitmaps -O qcow2 b y", "convert -O qcow2 b y", "info y") with { Images = ["x"], SameLayout = false },
        With("--bitmaps: targets", "convert", Images, "convert --bitmaps -O raw b x", "convert --bitmaps -O vmdk b x.vmdk", "convert --bitmaps -O qcow2 -o compat=0.10 b y", "convert --bitmaps -n -O qcow2 b old", "convert --bitmaps -n -O raw b raw"),
        With("--skip-broken-bitmaps", "convert", Inconsistent, "convert --bitmaps -O qcow2 x z", "convert --bitmaps --skip-broken-bitmaps -O qcow2 x z", "info z") with { Images = ["z"], SameLayout = false },
        With("-l --bitmaps", "convert", Chain, "convert --bitmaps -l one -O qcow2 s x", "convert --bitmaps -l nix -O qcow2 s y") with { Images = ["x"], SameLayout = false },
        With("from an image with bitmaps", "measure", Images, "measure -O qcow2 b", "measure -O qcow2 --output=json b", "measure -O qcow2 -o cluster_size=512 b", "measure -O qcow2 -o compat=0.10 b", "measure -O qcow2 a", "measure -O qcow2 old", "measure -O raw b", "measure -O qcow2 -f raw raw"),
        With("with bitmaps", "resize", Images, "resize b 20M", "resize b +1000k", "resize --shrink b 9M", "resize --shrink b 5001k", "resize b 30M", "resize --preallocation=metadata b 31M", "resize --preallocation=full b 32M", "resize small 11M", "resize --shrink b 512", "resize b 7T", "info b") with { Images = ["b"], SameLayout = false },
        With("with bitmaps", "snapshot", Chain, "snapshot -a one s", "snapshot -c two s", "snapshot -d one s", "snapshot -a two s", "bitmap --remove s marks", "snapshot -a two s") with { Images = ["s"], SameLayout = false },
        With("with bitmaps", "commit", Chain, "commit top", "info base", "info top") with { Images = ["top", "base"], SameLayout = false },
        With("-d with bitmaps", "commit", Chain, "commit -d top") with { Images = ["top", "base"], SameLayout = false },
        With("with bitmaps", "rebase", Chain, "rebase -b other -F qcow2 top", "info top") with { Images = ["top"], SameLayout = false },
        With("onto nothing, -u, with bitmaps", "rebase", Chain, "rebase -u -b other -F qcow2 top", "rebase -b '' top", "rebase -u -b base -F qcow2 top", "info top") with { Images = ["top"], SameLayout = false },
        With("with bitmaps", "amend", Chain, "amend -o lazy_refcounts=on top", "amend -o size=5M top", "info top") with { Images = ["top"], SameLayout = false },
        With("while dd, bench, compare and map use the image", "bitmap", Chain, "compare top base", "map top", "dd -O qcow2 if=top of=x", "bench -w -c 3 -d 1 -s 4k -o 3M top", "info x") with { Images = ["top", "x"], SameLayout = false },
        With("-n over an image with bitmaps", "convert", Chain, "convert -n -O qcow2 other base") with { Images = ["base"], SameLayout = false },
        .. Damages().Select(static damage => With(damage.Name, "check", ["img create -q -f qcow2 x 10M", "img bitmap --add x b", $"io raw x {string.Join(' ', damage.Writes)}"],
            "info x", "check x", "bitmap --add x n", "bitmap --remove x b", "check -r all x", "info x") with { SameLayout = false }),
        With("bitmaps with a broken table, in use", "check",
            ["img create -q -f qcow2 x 10M", "img bitmap --add x b", $"io raw x 'write -P 1 {Directory + 15} 1' 'write -P 1 {Table} 1'"], "check x") with
        {
            Verdict = Verdict.Better,
            Differs = DifferencePart.Errors,
            Reason = "the table is named; qemu-img says no more than \"Invalid argument\"",
        },
        With("bitmaps that somebody did not know of", "check",
            ["img create -q -f qcow2 x 10M", "img bitmap --add x b", $"io raw x 'write -P 0 {Autoclear} 1'"],
            "info x", "check x", "convert -O raw x y", "bitmap --remove x b", "bitmap --add x b", "info x", "check -r all -q x") with { Images = ["x"], SameLayout = false },
        With("bitmaps in version 2", "check",
            ["img create -q -f qcow2 x 10M", "img bitmap --add x b", "img amend -o compat=0.10 x"], "info x", "check x", "map x", "check -r all x", "info x", "convert -O qcow2 x y", "amend -o compat=1.1 x", "info x") with { SameLayout = false },
    ];

    private static ConformanceCase Make(string topic, params string[] steps) => With(topic, Images, steps);

    private static ConformanceCase Over(string topic, params string[] steps) => With(topic, Overlays, steps) with { Images = ["top", "ext", "base"], SameLayout = false };

    private static ConformanceCase With(string topic, string[] setup, params string[] steps) => With(topic, "bitmap", setup, steps);

    private static ConformanceCase With(string topic, string command, string[] setup, params string[] steps) => new()
    {
        Command = command,
        Topic = topic,
        Format = "qcow2",
        Setup = setup,
        Steps = steps,
        IgnoresDiskSize = true,
    };

    // One bitmap in a fresh image: where its parts stand is known.
    private static IEnumerable<(string Name, string[] Writes)> Damages()
    {
        (string Name, int At, string Bytes)[] damages =
        [
            ("table entry with reserved bits", Table, "00000000000001fe"),
            ("table entry of all ones", Table, "0000000000000001"),
            ("table entry with an offset and all ones", Table, "0000000000050001"),
            ("table entry not aligned", Table, "0000000000050200"),
            ("table entry with high bits", Table, "ff00000000000000"),
            ("table longer than the disk", Directory + 8, "00000002"),
            ("table without entries", Directory + 8, "00000000"),
            ("table of too many entries", Directory + 8, "10000000"),
            ("table at 0", Directory, "0000000000000000"),
            ("table not aligned", Directory, "0000000000000200"),
            ("table beyond 2^63", Directory, "8000000000000000"),
            ("unknown flags", Directory + 12, "00000004"),
            ("unknown type", Directory + 16, "02"),
            ("granularity too small", Directory + 17, "08"),
            ("granularity too large", Directory + 17, "20"),
            ("name too long", Directory + 18, "07d0"),
            ("extra data", Directory + 20, "00000008"),
            ("extra data of nearly 4 GiB", Directory + 20, "fffffff8"),
            ("no bitmaps", Extension, "00000000"),
            ("more bitmaps than there are", Extension, "00000002"),
            ("too many bitmaps", Extension, "00010000"),
            ("reserved field", Extension + 4, "00000001"),
            ("directory of size 0", Extension + 8, "0000000000000000"),
            ("directory too short", Extension + 8, "0000000000000018"),
            ("directory too long", Extension + 8, "0000000000000028"),
            ("directory beyond the limit", Extension + 8, "0000000008000000"),
            ("directory with a second entry", Extension + 8, "0000000000000040"),
            ("directory at 0", Extension + 16, "0000000000000000"),
            ("directory not aligned", Extension + 16, "0000000000000200"),
            ("directory beyond 2^63", Extension + 16, "8000000000000000"),
            ("directory beyond the end", Extension + 16, "00007f0000000000"),
        ];
        return damages.Select(static damage => ($"bitmaps damaged: {damage.Name}", Enumerable.Range(0, damage.Bytes.Length / 2)
            .Select(i => string.Create(CultureInfo.InvariantCulture, $"'write -P 0x{damage.Bytes.AsSpan(i * 2, 2)} {damage.At + i} 1'")).ToArray()));
    }
}
