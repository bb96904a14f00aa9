namespace ImageCluster.Conformance.Cases;

/// <summary>getopt's ways, and complaints about the command line itself.</summary>
internal static class UsageCases
{
    private static readonly string[] Raw = ["truncate -s 1M a.raw"];

    public static IReadOnlyList<ConformanceCase> List { get; } =
    [
        Errors("program", "arguments", "", "blah", "-Z", "--xx", "-x info", "-T", "help create", "-- info a.raw", "--trace=foo info a.raw"),
        Errors("program", "long options need no more than is unambiguous", "--vers=3", "info --back --outp=json a.raw", "info --f=raw a.raw", "info --for=raw a.raw"),
        Errors("info", "getopt errors", "info -Z", "info -Zq", "info x -Zq", "info -f", "info --o", "info --output", "info --backing-chain=3", "info --out=xx a.raw", "info -U -U a.raw -q"),
        Errors("info", "operands", "info", "info a b", "info --image-opts", "info -- -a", "info a.raw -- -f", "info -- a.raw -f raw"),
        Errors("info", "spellings", "info -fraw a.raw", "info a.raw -f raw", "info -Uf raw a.raw", "info -Ufraw a.raw", "info --force-share --format=raw a.raw", "info --format raw -- a.raw"),
        Errors("create", "operands", "create", "create x", "create x 1 2", "create -f raw x 1x", "create x -- -5", "create -q x -", "create x ''"),
        Errors("convert", "operands", "convert", "convert a.raw", "convert a.raw -O", "convert --output=json a b"),
        Errors("convert", "options that do not go together",
            "convert -S 1k -C a.raw b", "convert -c -C a.raw b", "convert --salvage -C a.raw b", "convert --target-is-zero a.raw b",
            "convert --target-image-opts a.raw b", "convert -n -o size=3 a.raw a.raw", "convert --skip-broken-bitmaps a.raw b", "convert --target-image-opts -n -o help a b"),
        Errors("convert", "option values", "convert -S 100 a.raw b", "convert -S x a.raw b", "convert -S 100M a.raw b", "convert -m 0 a.raw b", "convert -m 17 a.raw b",
            "convert -m x a.raw b", "convert -r x a.raw b", "convert -T foo a.raw b", "convert -o , a.raw b", "convert -O foo a.raw b"),
        Errors("convert", "-t with an unknown mode", "convert -t foo a.raw b") with { Verdict = Verdict.Better, Differs = DifferencePart.Files, Reason = "no target file is left behind" },
        Errors("compare", "operands", "compare", "compare a", "compare a b c", "compare -T foo a b", "compare a b", "compare a.raw nix", "compare -f foo a.raw b", "compare -F foo a.raw a.raw"),
        Errors("check", "operands", "check", "check a b", "check -r foo a", "check --output=foo a.raw", "check -T foo a.raw", "check nix"),
        Errors("map", "operands", "map", "map a b", "map --start-offset=x a", "map --max-length=x a", "map -s 9E a.raw", "map --output=foo a.raw", "map nix"),
        Errors("info", "--image-opts with -f", "info --image-opts -f raw x=3", "map --image-opts -f raw x=3", "check --image-opts -f raw x", "compare --image-opts -f raw x y"),
        Errors("create", "sizes", "create x 1.5", "create x 9E", "create x 8E", "create x 12MM", "create x 0x10", "create x 0x10k", "create x 1.5k", "create x 07", "create x 1e3", "create x +5", "create x ' 12'", "create x '12 '"),
    ];

    private static ConformanceCase Errors(string command, string topic, params string[] steps) =>
        new() { Command = command, Topic = topic, Setup = Raw, Steps = steps };
}
