using System.Text.RegularExpressions;

namespace ImageCluster.Conformance.Walk;

/// <summary>What a walk may find otherwise than with qemu-img, by the text that shows it; the rest of such a case says nothing more.</summary>
internal static class KnownDifferences
{
    /// <summary>What to look for in a difference, and what it is for the reader of the compatibility page.</summary>
    public static IReadOnlyList<(Regex Sign, string What)> List { get; } =
    [
        (new("- --- exit code 13[4-9] ---"), "qemu-img ends by a signal (a division by zero, a failed assertion); ours refuses or does what was asked"),
        (new(@"\+ .*creates an infinite loop"), "a chain that leads back to itself is refused as a loop, also where a lock shows it to qemu-img by chance"),
        (new("^/usr/bin/qemu-img .* does not end|\\n/usr/bin/qemu-img .* does not end"), "qemu-img does not end on a chain that leads back to itself; ours refuses it"),
        (new("\\+ .*Use a cache mode that goes through the page cache"), "where there is no direct access, a line says what to do"),
        (new(@"(?m)^files .*\n(  - .*\n)+$"), "no file is left behind by a command that failed"),
        (new("\\+ .*Image size must be less than 9223372036854775295"), "measure of a raw image refuses what cannot be a file's size"),
        (new("Unsupported image type 'monolithicSparse'"), "an empty vmdk can be written to"),
        (new("- .*Unsupported preallocation mode: metadata"), "vdi takes the preallocation mode that qemu-img's own help offers"),
        (new(@"check .*-r .*vdi"), "leaks of vdi are repaired"),
        (new(@"convert .*-c[\s\S]*- qemu-img: error while writing at byte \d+: Input/output error"), "convert -c -n writes also where the target has clusters already"),
        (new(@"convert .*-n[\s\S]*\nqemu-img map"), "convert -n leaves out zeros where the target reads as zeros already"),
        (new(@"\+ .* has CID "), "a vmdk whose parent was changed is refused when it is opened, with the reason, not when it is read"),
        (new("Cannot use --target-is-zero when the destination image has a backing file\n *- --- exit code 0"), "what is refused has exit code 1"),
        (new("Could not write to allocated cluster for streamOptimized"), "the reason stands in one line, not in two"),
        (new(@"- qcow2: Marking image as corrupt"), "the same refusal; the line that says what is wrong names the place otherwise"),
        (new("See <https://qemu.org/contribute/report-a-bug>"), "help is our own, a page for each command"),
        (new(@"(?m)^(rebase|commit) [\s\S]*\nqemu-img map "), "zeros that rebase and commit copy become zero clusters where that is smaller"),
        (new(@"preallocation=metadata[\s\S]*\nqemu-img map "), "the file of a preallocated image has smaller holes between metadata"),
        (new("convert [\\s\\S]*\\+     \"virtual-size\": 0,"), "a conversion that failed leaves nothing that looks like an image"),
        (new(@"commit .*\n[\s\S]*top\.qed"), "commit empties an overlay of qed too"),
    ];

    /// <summary>True where one of the differences of a case is known.</summary>
    public static bool Explain(ConformanceCase test, IEnumerable<string> differences)
    {
        string text = string.Join('\n', [.. test.Steps, .. differences]);
        return List.Any(known => known.Sign.IsMatch(text));
    }
}
