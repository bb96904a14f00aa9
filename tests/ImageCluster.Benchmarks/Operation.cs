namespace ImageCluster.Benchmarks;

/// <summary>One pair of command lines to be timed beside each other; the same arguments for both programs.</summary>
/// <param name="Name">As the table shows it, and what the command line's filter matches.</param>
/// <param name="Arguments">Of qemu-img and of ours. <c>{dir}</c> is the work directory, <c>{out}</c> the target.</param>
/// <param name="Baseline">qemu-img's own arguments where its best flags differ; null for the same.</param>
internal sealed record Operation(string Name, string Arguments, string? Baseline = null)
{
    /// <summary>Every operation, with the images that <see cref="Workspace"/> prepares.</summary>
    public static IReadOnlyList<Operation> All { get; } =
    [
        new("raw to qcow2", "convert -f raw -O qcow2 {dir}/source.raw {out}"),
        new("raw to raw", "convert -f raw -O raw {dir}/source.raw {out}"),
        new("qcow2 to raw", "convert -f qcow2 -O raw {dir}/source.qcow2 {out}"),
        new("qcow2 to qcow2", "convert -f qcow2 -O qcow2 {dir}/source.qcow2 {out}"),
        new("raw to qcow2 -c zlib", "convert -c -f raw -O qcow2 {dir}/small.raw {out}"),
        new("raw to qcow2 -c zstd", "convert -c -o compression_type=zstd -f raw -O qcow2 {dir}/small.raw {out}"),
        new("qcow2 (zlib) to raw", "convert -f qcow2 -O raw {dir}/zlib.qcow2 {out}"),
        new("qcow2 (zstd) to raw", "convert -f qcow2 -O raw {dir}/zstd.qcow2 {out}"),
        new("vmdk to qcow2", "convert -f vmdk -O qcow2 {dir}/source.vmdk {out}"),
        new("raw to vmdk", "convert -f raw -O vmdk {dir}/source.raw {out}"),
        new("streamOptimized to qcow2", "convert -f vmdk -O qcow2 {dir}/stream.vmdk {out}"),
        new("raw to streamOptimized", "convert -f raw -O vmdk -o subformat=streamOptimized {dir}/small.raw {out}"),
        new("vdi to qcow2", "convert -f vdi -O qcow2 {dir}/source.vdi {out}"),
        new("vhdx to qcow2", "convert -f vhdx -O qcow2 {dir}/source.vhdx {out}"),
        new("vpc to qcow2", "convert -f vpc -O qcow2 {dir}/source.vhd {out}"),
        new("raw to vdi", "convert -f raw -O vdi {dir}/source.raw {out}"),
        new("raw to vhdx", "convert -f raw -O vhdx {dir}/source.raw {out}"),
        new("raw to vpc", "convert -f raw -O vpc {dir}/source.raw {out}"),
        new("compare raw with qcow2", "compare -f raw -F qcow2 {dir}/source.raw {dir}/source.qcow2"),
        new("check qcow2", "check -f qcow2 {dir}/source.qcow2"),
        new("map qcow2", "map --output=json -f qcow2 {dir}/source.qcow2"),
        new("info, whole process", "info --output=json {dir}/source.qcow2"),
        new("empty 1 TiB qcow2", "convert -f qcow2 -O qcow2 {dir}/empty.qcow2 {out}"),
    ];
}
