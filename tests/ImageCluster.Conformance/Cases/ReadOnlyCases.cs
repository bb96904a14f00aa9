namespace ImageCluster.Conformance.Cases;

/// <summary>bochs, cloop and dmg, which are read and never written: every command that reads, and what those say that write.</summary>
internal static class ReadOnlyCases
{
    public static IReadOnlyList<ConformanceCase> List { get; } = [.. new[] { "bochs", "cloop", "dmg" }.SelectMany(Of)];

    private static IEnumerable<ConformanceCase> Of(string format)
    {
        yield return Make(format, "info", "every way", "info x", "info --output=json x", $"info -f {format} x", "info -U x", "info --backing-chain x", $"info --image-opts driver={format},file.filename=x", "info -f raw x");
        yield return Make(format, "map", "every way", "map x", "map --output=json x", $"map -f {format} --output=json -s 64k -l 100k x", "map --output=json -s 300k x", "map --output=json -l 1000 x");
        yield return Make(format, "check", "every way", "check x", "check --output=json x", $"check -f {format} x", "check -r all x", "check -q x");
        yield return Make(format, "compare", "every way", "compare x raw", "compare raw x", $"compare -f {format} -F raw x raw", "compare x x", "compare -s x x", "compare -s x raw", "compare x other", "compare x qcow2", "compare -q x other");
        yield return Make(format, "measure", "every way", "measure -O raw x", "measure -O qcow2 x", $"measure -f {format} -O qcow2 --output=json -o cluster_size=4k x", "measure -O luks x") with
        {
            Verdict = format == "cloop" ? Verdict.Same : Verdict.Better,
            Differs = DifferencePart.Output,
            Reason = "blocks without data are not counted; qemu-img counts the whole disk",
        };
        yield return Make(format, "dd", "every way", "dd if=x of=d1 bs=64k", "dd if=x of=d2 bs=100k count=2", $"dd -f {format} -O qcow2 if=x of=d3 bs=4k count=20", "dd if=x of=d4 bs=64k skip=100") with { Images = ["d1:raw", "d2:raw", "d3"] };
        yield return Make(format, "convert", $"from {format}: every way", "convert x c1", "convert -O qcow2 x c2", $"convert -f {format} -O vmdk x c3", "convert -c -O qcow2 x c4", "convert -S 0 x c5", "convert -O vhdx x c6", "convert x x c7", "convert -n x other", "convert -O qcow2 -m 1 -W x c8") with
        {
            Format = "",
            Images = ["c1:raw", "c2", "c3", "c5:raw", "c6", "c7:raw", "c8", "other:raw"],
            SameLayout = false,
        };
        yield return Make(format, "rebase", "onto it", $"create -q -f qcow2 -b x -F {format} top", "info top", "map --output=json top", "rebase -b raw -F raw top", $"rebase -b x -F {format} top", "commit top", "info --backing-chain top") with { Images = ["top"] };
        yield return Make(format, "bench", "every way", "bench -c 3 -s 4k x", "bench -w -c 1 -s 4k x");
        yield return Make(format, "resize", "what is not written", "resize x 1M", "snapshot -l x", "snapshot -c a x", "amend -o size=1M x", "bitmap --add x b", "commit x", "rebase -b '' x", "convert -n raw x");
    }

    private static ConformanceCase Make(string format, string command, string topic, params string[] steps) => new()
    {
        Command = command,
        Topic = topic,
        Format = format,
        Setup = [$"sample {format} x", $"img convert -f {format} -O raw x raw", $"img convert -f {format} -O qcow2 x qcow2", "cp raw other", "io raw other 'write -P 77 100k 512'"],
        Steps = steps,
        IgnoresDiskSize = true,
    };
}
