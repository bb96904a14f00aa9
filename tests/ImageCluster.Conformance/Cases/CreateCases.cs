namespace ImageCluster.Conformance.Cases;

internal static class CreateCases
{
    private static readonly string[] Base = ["img create -q -f qcow2 base.qcow2 8M", "truncate -s 3M base.raw"];

    public static IReadOnlyList<ConformanceCase> List { get; } =
    [
        .. new[] { "raw", "qcow2", "vmdk", "vdi", "vpc", "vhdx", "qed", "qcow", "parallels" }
            .Select(format => Make("plain", format, $"create -f {format} x 10M", $"info x", $"create -q -f {format} y 1G")),
        .. new[] { "raw", "qcow2", "vmdk", "vdi", "vpc", "vhdx", "qed", "qcow", "parallels" }
            .Select(format => Errors("-o help", format, $"create -f {format} -o help", $"create -f {format} -o help x", $"create -f {format} -o ?", $"create -f {format} -o help,size=1M x")),
        .. new[] { "compat=0.10", "cluster_size=512", "cluster_size=2M", "lazy_refcounts=on", "refcount_bits=1", "refcount_bits=64", "compression_type=zstd", "extended_l2=on,cluster_size=64k",
                "preallocation=metadata", "preallocation=falloc", "preallocation=full", "size=3M", "nocow=off,extent_size_hint=1M", "lazy_refcounts", "nolazy_refcounts", "lazy_refcounts=yes" }
            .Select(options => Make($"-o {options}", "qcow2", options.StartsWith("size", StringComparison.Ordinal) ? $"create -f qcow2 -o {options} x" : $"create -f qcow2 -o {options} x 4M", "info x")),
        .. new[] { "preallocation=off", "preallocation=falloc", "preallocation=full", "size=3M" }
            .Select(options => Make($"-o {options}", "raw", options.StartsWith("size", StringComparison.Ordinal) ? $"create -f raw -o {options} x" : $"create -f raw -o {options} x 4M", "info x")),
        Errors("-f file", "", "create -f file x 1M", "create -f file -o preallocation=full y 1M", "info y", "create -f file -o preallocation=foo z 1M", "create -f file -o cluster_size=1 z 1M", "create -f file -o help z", "create -f file -b x -F raw z", "create -f file z 1000",
            "convert -O file x c", "convert -c -O file x c", "convert -n -O file x y", "dd -O file if=x of=d bs=64k count=2"),
        Make("data_file: names with a colon", "qcow2", "create -f qcow2 -o data_file=file:d:e x 4M", "info x", "create -f qcow2 -o data_file=file:f y 4M", "info y", "create -f qcow2 -o data_file=g:h z 4M"),
        Make("data_file", "qcow2", "create -f qcow2 -o data_file=d.raw x 4M", "info x", "create -f qcow2 -o data_file=e.raw,data_file_raw=on x 4M"),
        Backing("-b -F", "qcow2", "create -f qcow2 -b base.qcow2 -F qcow2 x", "info x", "create -f qcow2 -b base.raw -F raw x 5M", "create -f qcow2 -o backing_file=base.raw,backing_fmt=raw x", "create -q -f qcow2 -b base.qcow2 -F qcow2 -o size=7M x"),
        Backing("-b: errors", "qcow2", "create -f qcow2 -b nix x 1M", "create -f qcow2 -b nix -F raw x", "create -f qcow2 -b base.qcow2 x", "create -f qcow2 -b base.qcow2 -F foo x",
            "create -f qcow2 -b x -F raw x", "create -f raw -b base.raw -F raw x 1M", "create -f raw -F raw x 1M", "create -f qcow2 -F raw x 1M", "create -f qcow2 -o backing_fmt=raw x 1M"),
        Backing("-u", "qcow2", "create -f qcow2 -u -b nix -F raw x", "create -f qcow2 -u -b nix x 1M", "create -f qcow2 -u -b nix -F raw x 1M", "info x"),
        Errors("option errors", "qcow2", "create -f qcow2 -o foo=1 x 1M", "create -f qcow2 -o cluster_size=abc x 1M", "create -f qcow2 -o lazy_refcounts=abc x 1M", "create -f qcow2 -o refcount_bits=abc x 1M",
            "create -f qcow2 -o size=-1 x", "create -f qcow2 -o =x x 1M", "create -f qcow2 -o '' x 1M", "create -f qcow2 -o size=1M, x", "create -o size=3M x 1M", "create -f foo x 1M", "create foo:x 1M"),
        Errors("values that the format refuses", "qcow2", "create -f qcow2 -o cluster_size=1000 x 1M", "create -f qcow2 -o cluster_size=4M x 1M", "create -f qcow2 -o refcount_bits=3 x 1M", "create -f qcow2 -o refcount_bits=-1 x 1M",
            "create -f qcow2 -o preallocation=foo x 1M", "create -f qcow2 -o compat=foo x 1M", "create -f qcow2 -o compression_type=foo x 1M", "create -f qcow2 -o compat=0.10,lazy_refcounts=on x 1M",
            "create -f qcow2 -o compat=0.10,refcount_bits=8 x 1M", "create -f qcow2 -o data_file_raw=on x 1M", "create -f qcow2 -o extended_l2=on,cluster_size=4k x 1M", "create -f qcow2 x 7E", "create -f qcow2 -o cluster_size=512 x 1P",
            "create -f qcow2 /nonexist/x 1M", "create -f raw /nonexist/x 1M", "create x 7.99E", "create . 1M", "create '' 1M"),
        .. new[] { "subformat=monolithicFlat", "subformat=twoGbMaxExtentSparse", "subformat=twoGbMaxExtentFlat", "subformat=streamOptimized", "adapter_type=lsilogic", "compat6=on", "hwversion=10", "zeroed_grain=on", "toolsversion=123" }
            .Select(options => Made($"-o {options}", "vmdk", ["x.vmdk"], $"create -f vmdk -o {options} x.vmdk 10M")),
        Errors("values that the format refuses", "vmdk", "create -f vmdk -o subformat=foo x 1M", "create -f vmdk -o adapter_type=foo x 1M", "create -f vmdk -o compat6=on,hwversion=4 x 1M"),
        .. new[] { "subformat=fixed", "force_size=on", "subformat=fixed,force_size=on" }.Select(options => Made($"-o {options}", "vpc", ["x:vpc"], $"create -f vpc -o {options} x 10M")),
        .. new[] { "subformat=fixed", "block_size=1M", "log_size=2M", "block_state_zero=off" }.Select(options => Made($"-o {options}", "vhdx", ["x"], $"create -f vhdx -o {options} x 10M")),
        .. new[] { "static=on" }.Select(options => Made($"-o {options}", "vdi", ["x"], $"create -f vdi -o {options} x 10M")),
    ];

    private static ConformanceCase Make(string topic, string format, params string[] steps) => Made(topic, format, [$"x:{format}"], steps);

    private static ConformanceCase Made(string topic, string format, string[] images, params string[] steps) =>
        new() { Command = "create", Topic = topic, Format = format, Steps = steps, Images = images, IgnoresDiskSize = true };

    private static ConformanceCase Backing(string topic, string format, params string[] steps) =>
        new() { Command = "create", Topic = topic, Format = format, Setup = Base, Steps = steps, IgnoresDiskSize = true };

    private static ConformanceCase Errors(string topic, string format, params string[] steps) =>
        new() { Command = "create", Topic = topic, Format = format, Steps = steps };
}
