namespace ImageCluster.Conformance.Cases;

/// <summary>Options of an image that is to be written: zeros that are detected, and what is for reading only.</summary>
internal static class TargetOptionCases
{
    private static readonly string[] Images =
    [
        "img create -q -f raw a.raw 1M", "io raw a.raw 'write -P 1 0 300k'", "img create -q -f raw t.raw 1M", "io raw t.raw 'write -P 1 0 1M'",
        "img create -q -f qcow2 t.qcow2 1M", "io qcow2 t.qcow2 'write -P 1 0 1M'", "img create -q -f qcow2 -b t.qcow2 -F qcow2 top.qcow2",
        "img create -q -f raw small.raw 256k", "sample bochs a.bochs", "sample dmg a.dmg", "sample cloop a.cloop",
    ];

    public static IReadOnlyList<ConformanceCase> List { get; } =
    [
        .. new[] { "raw", "qcow2" }.SelectMany(static format => new[] { "detect-zeroes=on", "detect-zeroes=unmap", "detect-zeroes=unmap,discard=unmap", "detect-zeroes=unmap,discard=ignore" }.SelectMany(options => new[]
        {
            Into(format, options, ""), Into(format, options, "-S 0 "),
        })),
        Make("info", "detect-zeroes=unmap of the nodes below", "info --image-opts driver=raw,file.filename=a.raw,detect-zeroes=unmap", "info --image-opts driver=raw,file.filename=a.raw,file.detect-zeroes=unmap",
            "info --image-opts driver=raw,file.filename=a.raw,file.detect-zeroes=unmap,file.discard=ignore", "map --image-opts driver=qcow2,file.filename=top.qcow2,backing.detect-zeroes=unmap",
            "map --image-opts driver=qcow2,file.filename=top.qcow2,backing.file.detect-zeroes=unmap", "map --image-opts driver=qcow2,file.filename=top.qcow2,backing.discard=ignore,backing.detect-zeroes=unmap"),
        Make("info", "values of the backing file's options", [.. new[] { "detect-zeroes=foo", "discard=foo", "read-only=foo", "force-share=foo", "node-name=0", "cache.direct=foo", "auto-read-only=x", "discard=ignore,backing.detect-zeroes=foo" }
            .Select(static option => $"map --image-opts driver=qcow2,file.filename=top.qcow2,backing.{option}"), "info --image-opts driver=qcow2,file.filename=top.qcow2,backing.file.detect-zeroes=unmap,backing.file.discard=ignore", "rebase -u -b '' --image-opts driver=qcow2,file.filename=top.qcow2,backing.discard=ignore,backing.read-only=on,backing.driver=qcow2"]),
        .. new[] { "detect-zeroes=unmap", "detect-zeroes=unmap,discard=ignore", "backing.detect-zeroes=unmap", "backing.detect-zeroes=unmap,backing.discard=ignore" }.Select(static options => Make("commit", $"{options}, and every command that writes",
            [.. new[] { "amend -o lazy_refcounts=on", "resize", "snapshot -c one", "snapshot -d one", "bitmap --add", "check -r all", "rebase -u -b t.qcow2 -F qcow2", "commit" }
                .Select(command => $"{command} --image-opts driver=qcow2,file.filename=top.qcow2,{options}{(command.StartsWith("resize", StringComparison.Ordinal) ? " 2M" : command.StartsWith("bitmap", StringComparison.Ordinal) ? " b" : "")}")])),
        Make("convert", "--target-image-opts: formats that are only read", [.. new[] { "", ",detect-zeroes=unmap", ",detect-zeroes=foo", ",foo=1", ",file.foo=1", ",read-only=on", ",read-only=on,foo=1", ",auto-read-only=on", ",auto-read-only=on,foo=1" }
            .Select(static options => $"convert -n --target-image-opts small.raw driver=bochs,file.filename=a.bochs{options}")]),
        Make("convert", "-n: formats that are only read, which are the source too", [.. new[] { "bochs", "dmg", "cloop" }.Select(static format => $"convert -n -O {format} a.{format} a.{format}"), "convert -n -f bochs -O bochs a.bochs small.raw", "convert -n -O bochs a.bochs nix"]),
        Make("convert", "--target-image-opts: file.read-only=on", [.. new[] { "driver=qcow2,", "driver=raw,", "driver=vmdk,", "" }
            .Select(static driver => $"convert -n --target-image-opts small.raw {driver}file.filename=t.qcow2,file.read-only=on,foo=1"), "convert -n --target-image-opts small.raw driver=qcow2,file.filename=nix,file.read-only=on,foo=1"]),
    ];

    private static ConformanceCase Into(string format, string options, string sparse) =>
        Make("convert", $"{sparse}--target-image-opts: {options}, {format}", $"convert {sparse}-n --target-image-opts a.raw driver={format},file.filename=t.{format},{options}") with { Images = [$"t.{format}:{format}"] };

    private static ConformanceCase Make(string command, string topic, params string[] steps) =>
        new() { Command = command, Topic = topic, Setup = Images, Steps = steps, IgnoresDiskSize = true };
}
