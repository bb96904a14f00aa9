namespace ImageCluster.Conformance.Cases;

/// <summary>Block devices: as source, target, base, data file; too small, for reading only; named by driver.</summary>
internal static class DeviceCases
{
    // Devices keep what the page before had: each case starts with zeros.
    private static readonly string[] Images =
    [
        "truncate -s 24M disk.img",
        "truncate -s 4M cd.img",
        "img create -q -f qcow2 s.qcow2 16M",
        "io qcow2 s.qcow2 'write -P 5 1M 3M' 'write -P 6 15M 1M'",
        "img create -q -f qcow2 big.qcow2 40M",
    ];

    public static IReadOnlyList<ConformanceCase> List { get; } =
    [
        Make("info", "", "info disk", "info -f raw disk", "info --output=json cd", "info --image-opts driver=host_device,filename=disk", "info --image-opts driver=raw,file.driver=host_device,file.filename=disk", "info host_device:disk", "info file:disk",
            "info --image-opts driver=file,filename=disk", "info --image-opts driver=raw,file.driver=file,file.filename=disk", "info --image-opts driver=host_device,filename=s.qcow2", "info 'json:{\"driver\":\"raw\",\"file\":{\"driver\":\"host_device\",\"filename\":\"disk\"}}'", "info /dev/null", "info /dev/zero", "info ."),
        Make("convert", "", "convert -O raw s.qcow2 disk", "convert -n -O raw s.qcow2 disk", "convert -n -W -m 16 -t none -T none -O raw s.qcow2 disk", "compare -F raw s.qcow2 disk", "convert -f raw -O qcow2 disk x.qcow2", "convert -C -f raw -O raw disk x.raw", "convert -C -n -f raw -O raw x.raw disk",
            "map -f raw disk", "map --output=json -f raw disk", "measure -O qcow2 -f raw disk", "check -f raw disk", "bench -c 10 -d 1 -f raw disk", "bench -w -c 10 -d 1 -f raw disk", "dd -f raw if=disk of=y.raw bs=1M count=2", "dd -O raw if=s.qcow2 of=disk bs=1M", "compare -F raw s.qcow2 disk") with { Images = ["disk:raw", "x.qcow2", "y.raw:raw"] },
        Make("convert", "too small", "convert -O raw big.qcow2 disk", "convert -n -O raw big.qcow2 disk", "dd if=big.qcow2 of=disk", "create -f raw disk 30M", "create -f raw disk", "create disk", "create -f qcow2 -o preallocation=metadata disk 30M", "create -f vdi -o static=on disk 30M", "create -f vhdx -o subformat=fixed disk 30M",
            "create -f luks --object secret,id=s,data=abc -o key-secret=s,iter-time=10 disk 24M"),
        Make("create", "", "create -f raw disk 10M", "create -f raw disk 24M", "create -f qcow2 disk 100M", "info disk", "check disk", "create -f qcow2 -o cluster_size=2M disk 70M", "info disk", "create -f vmdk disk 30M", "check disk", "create -f vdi disk 80M", "info disk", "create -f vdi -o static=on disk 20M", "create -f vdi -o preallocation=metadata disk 1M", "create -f vhdx -o subformat=fixed disk 10M", "create -f vpc -o subformat=fixed disk 20M", "create -f vpc -o subformat=fixed disk 25M", "create -f parallels disk 80M", "create -f raw -o preallocation=off disk 1M"),
        Make("create", "preallocation", "create -f raw -o preallocation=full disk 10M", "create -f raw -o preallocation=falloc disk 10M", "create -f qcow2 -o preallocation=full disk 10M", "create -f qcow2 -o preallocation=falloc disk 10M", "create -f qcow2 -o preallocation=metadata disk 10M",
            "convert -O qcow2 -o preallocation=falloc s.qcow2 disk", "convert -O qcow2 -o preallocation=full s.qcow2 disk", "resize -f raw --preallocation=full disk 30M", "resize -f raw --preallocation=metadata disk 30M", "resize -f raw --preallocation=falloc disk 24M") with { SameLayout = false },
        Make("resize", "", "resize -f raw disk 24M", "resize -f raw disk 30M", "resize -f raw disk 10M", "resize -f raw --shrink disk 10M", "resize -f raw --shrink disk 24M", "resize -f raw disk +0") with { Images = ["disk:raw"] },
        Make("resize", "qcow2 on a device", "create -f qcow2 disk 10M", "resize disk 12M", "resize --shrink disk 8M", "resize --preallocation=metadata disk 10M", "resize --preallocation=falloc disk 11M", "resize --preallocation=full disk 11M", "info disk") with { Images = ["disk"], SameLayout = false },
        Make("snapshot", "qcow2 on a device", "convert -O qcow2 s.qcow2 disk", "snapshot -c one disk", "bench -w -c 30 -d 1 -s 64k disk", "snapshot -a one disk", "snapshot -d one disk", "check disk", "amend -o compat=0.10 disk", "amend -o compat=1.1,refcount_bits=64 disk", "bitmap --add disk b", "info disk", "check -r all disk") with { Images = ["disk"], SameLayout = false },
        Make("commit", "onto a device", "convert -O qcow2 s.qcow2 disk", "create -f qcow2 -b disk -F qcow2 top.qcow2", "bench -w -c 3 -d 1 -s 64k -o 2M --pattern=7 top.qcow2", "commit top.qcow2", "rebase -b '' top.qcow2", "compare top.qcow2 disk", "convert -c -O qcow2 s.qcow2 disk") with { Images = ["disk", "top.qcow2"], SameLayout = false },
        Make("commit", "onto a raw device that is too small", "create -f qcow2 -b disk -F raw top.qcow2 40M", "bench -w -c 3 -d 1 -s 64k -o 2M --pattern=7 top.qcow2", "commit top.qcow2") with { Images = ["disk:raw", "top.qcow2"], SameLayout = false },
        Make("create", "a device as data file", "create -f qcow2 -o data_file=disk e.qcow2 16M", "info e.qcow2", "convert -n -O qcow2 s.qcow2 e.qcow2", "compare s.qcow2 e.qcow2", "resize e.qcow2 20M", "resize e.qcow2 24M", "resize e.qcow2 30M", "resize --shrink e.qcow2 16M",
            "create -f qcow2 -o data_file=disk,preallocation=full f.qcow2 16M", "create -f qcow2 -o data_file=disk,data_file_raw=on,preallocation=falloc f.qcow2 16M", "create -f qcow2 -o data_file=disk g.qcow2 40M", "create -f qcow2 -o data_file=cd h.qcow2 1M", "create -f qcow2 -o data_file=disk,data_file_raw=on i.qcow2 24M", "convert -n -O qcow2 s.qcow2 e.qcow2") with { Images = ["e.qcow2"] },
        Make("resize", "a device as data file, preallocation", "create -f qcow2 -o data_file=disk e.qcow2 16M", "resize --preallocation=full e.qcow2 30M", "resize --preallocation=falloc e.qcow2 20M"),
        Make("convert", "a device that cannot be written", "convert -O raw s.qcow2 cd", "convert -n -O raw s.qcow2 cd", "convert -n -O qcow2 s.qcow2 cd", "convert -O qcow2 s.qcow2 cd", "create -f raw cd 1M", "create -f qcow2 cd 1M", "create -f vmdk cd 1M", "resize -f raw cd 1M", "resize -f raw --shrink cd 1M", "bench -w -c 1 -f raw cd", "dd if=s.qcow2 of=cd", "snapshot -c x cd", "amend -f raw -o x cd",
            "commit cd", "rebase -b '' cd", "bitmap --add cd b", "check -r all cd", "info cd", "map -f raw cd", "compare -f raw -F raw cd disk", "check -f raw cd", "convert -f raw -O raw cd x.raw", "bench -c 1 -d 1 -f raw cd", "create -f qcow2 -b cd -F raw over.qcow2", "bench -w -d 1 -c 1 over.qcow2", "commit over.qcow2") with { Images = ["x.raw:raw"] },
        .. new[] { "vdi", "parallels", "vpc" }.Select(static format => Make("convert", $"{format} on a device", $"convert -O {format} s.qcow2 disk", $"compare -F {format} s.qcow2 disk")),
        .. new[] { "vmdk", "qed", "qcow", "vhdx" }.Select(static format => Make("convert", $"{format} on a device", $"convert -O {format} s.qcow2 disk", $"compare -F {format} s.qcow2 disk") with
        {
            Verdict = Verdict.Better,
            Differs = DifferencePart.Said,
            Reason = "the device holds the image, which qemu-img reads; qemu-img 7.2 fails to write one there",
        }),
    ];

    private static ConformanceCase Make(string command, string topic, params string[] steps) =>
        new() { Command = command, Topic = topic.Length == 0 ? "devices" : $"devices: {topic}", Setup = Images, Steps = steps, NeedsDevices = true, IgnoresDiskSize = true };
}
