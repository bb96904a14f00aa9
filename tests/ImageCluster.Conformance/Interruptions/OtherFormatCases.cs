namespace ImageCluster.Conformance.Interruptions;

/// <summary>Every command that writes images of the other formats, and every command that makes a new image of any.</summary>
internal static class OtherFormatCases
{
    private const string Secrets = "--object secret,id=s,data=abc --object secret,id=n,data=new";

    private static readonly string[] Sources =
    [
        "img create -q -f raw src.raw 3M", "io raw src.raw 'write -P 21 0 90k' 'write -P 22 1150k 160k' 'write -P 23 2000k 100k' 'write -P 24 3071k 1k'",
        "img create -q -f raw two.raw 3M", "io raw two.raw 'write -P 31 20k 90k' 'write -P 32 700k 500k' 'write -P 33 2040k 30k'",
        "img create -q -f qcow2 base.qcow2 3M", "io qcow2 base.qcow2 'write -P 1 0 70k' 'write -P 2 1100k 100k'",
    ];

    private static readonly string[] InPlace = ["bench -w -c 40 -s 3k -S 65k --pattern=7 {i}", "convert -n --target-image-opts two.raw {t}", "commit top.qcow2"];

    private static readonly (string Name, string Format, string Options)[] Writable =
    [
        ("raw", "raw", ""), ("vmdk monolithicSparse", "vmdk", "subformat=monolithicSparse"), ("vmdk zeroed grains", "vmdk", "zeroed_grain=on"), ("vmdk monolithicFlat", "vmdk", "subformat=monolithicFlat"),
        ("vmdk twoGbMaxExtentSparse", "vmdk", "subformat=twoGbMaxExtentSparse"), ("vmdk twoGbMaxExtentFlat", "vmdk", "subformat=twoGbMaxExtentFlat"), ("vdi", "vdi", ""), ("vdi static", "vdi", "static=on"),
        ("vpc", "vpc", "force_size=on"), ("vpc fixed", "vpc", "subformat=fixed,force_size=on"), ("vhdx", "vhdx", "block_size=1M"), ("vhdx fixed", "vhdx", "subformat=fixed"), ("qed", "qed", "cluster_size=4k"), ("qcow", "qcow", ""),
        ("luks two keys", "luks", "key-secret=s,iter-time=1"), ("qcow aes", "qcow", "encrypt.format=aes,encrypt.key-secret=s"), ("parallels", "parallels", "cluster_size=64k"), ("luks", "luks", "key-secret=s,iter-time=1"),
    ];

    public static IEnumerable<InterruptionCase> All() => [.. Writable.SelectMany(static one => Change(one.Name, one.Format, one.Options)), .. Writable.Where(static one => one.Name != "luks two keys").Concat(Targets).SelectMany(static one => Make(one.Name, one.Format, one.Options))];

    // Those that are only made, or made otherwise.
    private static IEnumerable<(string Name, string Format, string Options)> Targets =>
    [
        ("vmdk streamOptimized", "vmdk", "subformat=streamOptimized"), ("qcow2", "qcow2", "cluster_size=4k"), ("qcow2 lazy", "qcow2", "lazy_refcounts=on"), ("qcow2 extended", "qcow2", "extended_l2=on,cluster_size=16k"),
        ("qcow2 data file", "qcow2", "data_file=new.data"), ("qcow2 metadata", "qcow2", "preallocation=metadata"), ("qcow2 falloc", "qcow2", "preallocation=falloc"), ("qcow2 luks", "qcow2", "encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=1"),
        ("raw full", "raw", "preallocation=full"),
    ];

    private static IEnumerable<InterruptionCase> Change(string name, string format, string options)
    {
        bool isSecret = options.Contains("secret=s", StringComparison.Ordinal);
        View image = new("f.img", format) { Password = isSecret ? "abc" : null };
        string secrets = isSecret ? Secrets + " " : "";
        string given = options.Length > 0 ? $"-o {options} " : "";
        string opening = string.Join(' ', image.Opening);
        List<string> setup =
        [
            .. Sources, $"img convert {secrets}-O {format} {given}src.raw f.img", $"qemu-io {opening} -c 'write -P 41 300k 30k' -c 'write -P 42 2090k 50k'",
            $"img create -q -f qcow2 -o cluster_size=64k -b f.img -F {format} top.qcow2",
            isSecret ? "img rebase -u -b '' top.qcow2" : "io qcow2 top.qcow2 'write -P 51 10k 100k' 'write -P 52 1500k 300k' 'write -z 2M 64k'",
        ];
        View[] views = [image, .. isSecret ? [image with { Password = "new" }] : new[] { new View("top.qcow2", "qcow2") }];
        List<string> lines = [.. InPlace];
        if (name == "luks")
        {
            lines.AddRange("amend -o state=active,new-secret=n,iter-time=1 {i}", "resize {i} +300k", "resize --shrink {i} 2M");
        }

        if (name == "luks two keys")
        {
            setup.Add($"img amend -o state=active,new-secret=n,iter-time=1 {Secrets} {string.Join(' ', image.Opening[^2..])}");
            lines = ["amend -o state=inactive,old-secret=s {i}", "amend -o state=inactive,keyslot=1 {i}", "amend -o state=inactive,keyslot=0 {i}"];
        }

        if (format is "qed" or "vdi" or "vhdx" or "parallels")
        {
            lines.Add("check -r all {i}");
        }

        if (name is "raw" or "qed")
        {
            lines.AddRange("resize {i} +300k");
        }

        if (name == "raw")
        {
            lines.AddRange("resize --shrink {i} 2M", "resize --preallocation=falloc {i} +300k", "resize --preallocation=full {i} +300k");
        }

        if (name == "qed")
        {
            lines.AddRange("rebase -b base.qcow2 -F qcow2 {i}", "rebase -u -b base.qcow2 -F qcow2 {i}");
        }

        foreach (string line in lines.Where(line => !isSecret || !(line.StartsWith("bench", StringComparison.Ordinal) || line.StartsWith("commit", StringComparison.Ordinal))))
        {
            yield return new InterruptionCase(name, Fill(line, image, secrets), setup, views);
        }
    }

    private static IEnumerable<InterruptionCase> Make(string name, string format, string options)
    {
        bool isSecret = options.Contains("secret=s", StringComparison.Ordinal);
        string secrets = isSecret ? Secrets + " " : "";
        string given = options.Length > 0 ? $"-o {options} " : "";
        View[] views = [new View("src.raw", "raw"), new View("new.img", format) { Password = isSecret ? "abc" : null, IsNew = true }];
        List<string> lines = [$"create -q -f {format} {secrets}{given}new.img 3M", $"convert -O {format} {secrets}{given}src.raw new.img", $"convert -O {format} -S 0 {secrets}{given}src.raw new.img"];
        if (format == "qcow2" && !isSecret && !options.Contains("preallocation", StringComparison.Ordinal) && !options.Contains("data_file", StringComparison.Ordinal))
        {
            lines.AddRange($"convert -c -O {format} {given}src.raw new.img", $"convert -O {format} -B base.qcow2 -F qcow2 {given}src.raw new.img");
        }

        if (options.Length == 0 || format == "qcow2" && options.StartsWith("cluster", StringComparison.Ordinal))
        {
            lines.AddRange($"dd -O {format} bs=64k if=src.raw of=new.img");
        }

        foreach (string line in lines)
        {
            yield return new InterruptionCase("new " + name, line, Sources, views);

            if (name.EndsWith("luks", StringComparison.Ordinal))
            {
                // Making one takes qemu-img seconds.
                continue;
            }

            // Over an image that is there.
            yield return new InterruptionCase("new " + name, line, [.. Sources, $"img convert -O {format} {secrets}{given.Replace("new.data", "new.data", StringComparison.Ordinal)}two.raw new.img"], views);
        }
    }

    private static string Fill(string line, View image, string secrets) => line.Replace("{i}", $"{secrets}{string.Join(' ', image.Opening[^2..])}", StringComparison.Ordinal)
        .Replace("{t}", $"{image.Opening[^1]} {secrets}", StringComparison.Ordinal);
}
