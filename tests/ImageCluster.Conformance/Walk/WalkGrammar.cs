namespace ImageCluster.Conformance.Walk;

/// <summary>A command as the manual has it: its options, each with a word for its argument, and what stands behind them.</summary>
/// <param name="Name">The command.</param>
/// <param name="Options">Each is drawn sometimes. Words in braces are drawn from <see cref="WalkWords"/>.</param>
/// <param name="Operands">One of these is drawn.</param>
internal sealed record WalkCommand(string Name, string[] Options, string[] Operands)
{
    /// <summary>How often the command is drawn, beside others.</summary>
    public int Weight { get; init; } = 2;
}

/// <summary>All commands. Taken from the manual page, not from our own table: what that forgot must show.</summary>
internal static class WalkGrammar
{
    public static IReadOnlyList<WalkCommand> Commands { get; } =
    [
        new("amend", ["-o {amend}", "-o {amend}", "-o {amend}", "-o {amend}", "-f {fmt}", "-t {cache}", "-p", "-q", "--force", "{object}", "--image-opts"], ["{image}", "{image}", "{any}"]),
        new("bench", ["-d {smallnumber}", "-f {fmt}", "--flush-interval={smallnumber}", "-i {aio}", "-n", "--no-drain", "-o {offset}", "--pattern={number}", "-q", "-s {buffer}", "-S {buffer}", "-t {cache}", "-w", "-U", "--force-share", "--image-opts"],
            ["-c {count} {image}", "-c {count} {image}", "-c {count} {any}"]),
        new("bitmap", ["{bitmapaction}", "{bitmapaction}", "{bitmapaction}", "-b {image}", "-F {fmt}", "-g {granularity}", "{object}", "--image-opts", "-f {fmt}"], ["{image} {bitmap}", "{image} {bitmap}", "m.qcow2 {bitmap}", "m.qcow2 {bitmap}", "{any} {bitmap}"]) { Weight = 3 },
        new("check", ["-q", "-f {fmt}", "--output={output}", "-r {repair}", "-T {cache}", "-U", "--force-share", "{object}", "--image-opts"], ["{image}", "{image}", "leak.qcow2", "{any}"]),
        new("commit", ["-q", "-f {fmt}", "-t {cache}", "-b {base}", "-r {rate}", "-d", "-p", "{object}", "--image-opts"], ["{image}", "{overlay}", "{overlay}", "{any}"]),
        new("compare", ["-f {fmt}", "-F {fmt2}", "-T {cache}", "-p", "-q", "-s", "-U", "--force-share", "{object}", "--image-opts"], ["{image} {image2}", "{image} {image2}", "{image} {image}", "{any} {image}", "{image} {any}"]) { Weight = 3 },
        new("convert",
            ["-f {fmt}", "-t {cache}", "-T {cache}", "-o {create}", "-o {create}", "-l {snapshot}", "-S {sparse}", "-r {rate}", "-m {coroutines}", "-W", "-c", "-c", "-p", "-q", "-n", "-B {base} -F {fmt}", "-F {fmt}", "-C", "-U", "--force-share", "--bitmaps", "--skip-broken-bitmaps",
                "--salvage", "--target-is-zero", "--target-image-opts", "{object}", "--image-opts"],
            ["-O {f} {image} out", "-O {f} {image2} out", "-O {fmt} {image} out", "{image} out", "-O {f} {image2} {image} out", "-n -O {f} {image2} {image}", "-n {image2} long.raw", "-O {f} {any} out", "-O {f} {image} {any}", "--bitmaps -O qcow2 m.qcow2 out", "-n --target-image-opts {image2} {node}"]) { Weight = 8 },
        new("create", ["-q", "-b {base} -F {fmt}", "-b {base}", "-F {fmt}", "-u", "-o {create}", "-o {create}", "-o {create}", "{object}"], ["-f {f} out {size}", "-f {f} out {size}", "-f {f} out", "-f {fmt} out {size}", "-f {f} {any} {size}", "-f {f} {image} {size}", "-f {f} out {hugesize}"]) { Weight = 5 },
        new("dd", ["-U", "-f {fmt}", "-O {f}", "-O {fmt}", "--image-opts", "{object}"], ["{ddopts} if={image} of=out", "{ddopts} if={image} of=out", "if={image2} {ddopts} of={image}", "{ddopts} if={any} of=out", "if={image} of={any}", "if={image}", "of=out", "{ddopts}"]) { Weight = 3 },
        new("info", ["-f {fmt}", "--output={output}", "--backing-chain", "-U", "--force-share", "{object}", "--image-opts"], ["{image}", "{image}", "{overlay}", "{any}", "{image2}"]),
        new("map", ["-f {fmt}", "--output={output}", "-s {offset}", "--start-offset={offset}", "-l {offset}", "--max-length={offset}", "-U", "--force-share", "{object}", "--image-opts"], ["{image}", "{image}", "{overlay}", "{any}", "{image2}"]),
        new("measure", ["--output={output}", "-o {create}", "-l {snapshot}", "-f {fmt}", "-U", "--force-share", "--size {size}", "{object}", "--image-opts"], ["-O {f} {image2}", "-O {f}", "-O qcow2 {image}", "-O {fmt} {any}", "{image}", "-O {f} --size {hugesize}"]) { Weight = 3 },
        new("snapshot", ["-U", "--force-share", "-q", "{object}", "--image-opts", "-f {fmt}"], ["-l {image}", "-c {name} {image}", "-a {name} {image}", "-d {name} {image}", "-a {name} s.qcow2", "-d {name} s.qcow2", "-c {name} s.qcow2", "{image}", "-l {any}", "-c {name} {any}", "-lc {name} {image}", "-a {name} -d {name} s.qcow2"]),
        new("rebase", ["-U", "--force-share", "-q", "-f {fmt}", "-t {cache}", "-T {cache}", "-p", "-u", "-u", "{object}", "--image-opts"], ["-b {base} -F {fmt} {overlay}", "-b {base} {overlay}", "-b '' {overlay}", "-b {base} -F {fmt2} {image}", "-b {any} {overlay}", "{overlay}", "-F {fmt} -b {image2} {overlay}", "-b {base} -F raw {any}"]) { Weight = 3 },
        new("resize", ["-f {fmt}", "-f {f}", "--preallocation={preallocation}", "-q", "--shrink", "--shrink", "{object}", "--image-opts"], ["{image} {newsize}", "{image} {newsize}", "{image}", "{any} {newsize}", "{newsize}", "{newsize} {image}"]) { Weight = 3 },
    ];
}
