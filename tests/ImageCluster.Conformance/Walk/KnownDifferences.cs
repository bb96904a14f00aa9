using System.Text.RegularExpressions;
using static ImageCluster.Conformance.DifferencePart;

namespace ImageCluster.Conformance.Walk;

/// <summary>A difference that a walk may find.</summary>
/// <param name="What">What it is, for the reader of the compatibility page.</param>
/// <param name="Parts">What differs by it, in its step or at the end; the rest must be the same.</param>
/// <param name="Sign">What shows it, in the text of one difference.</param>
internal sealed record KnownDifference(string What, DifferencePart Parts, string Sign)
{
    /// <summary>What the step must look like besides; null for any.</summary>
    public string? Step { get; init; }

    /// <summary>Later steps find other files than with qemu-img: what they say, and what is left in the end, is not looked at.</summary>
    public bool Lasts { get; init; }

    public bool IsSignedBy(ConformanceCase test, Difference difference) =>
        Regex.IsMatch(difference.ToString(), Sign, RegexOptions.Multiline)
        && (Step is null || StepsOf(test, difference).Any(step => Regex.IsMatch(step, Step)));

    // What stands at the end may come of any step.
    private static IEnumerable<string> StepsOf(ConformanceCase test, Difference difference) =>
        difference.Step < test.Steps.Count ? [test.Steps[difference.Step]] : test.Steps;
}

/// <summary>What a walk may find otherwise than with qemu-img. Each names what differs: a case passes only where all that differs is accounted for.</summary>
internal static class KnownDifferences
{
    public static IReadOnlyList<KnownDifference> List { get; } =
    [
        new("qemu-img ends by a signal (a division by zero, a failed assertion); ours refuses or does what was asked", Said, "^  - exit code 13[4-9]$") { Lasts = true },
        new("a chain that leads back to itself is refused as a loop, also where a lock shows it to qemu-img by chance", Said, @"^  \+ .*creates an infinite loop") { Lasts = true },
        new("qemu-img does not end on a chain that leads back to itself; ours refuses it", End, "/usr/bin/qemu-img .* does not end") { Lasts = true },
        new("where there is no direct access, a line says what to do", Errors, @"^  \+ .*Use a cache mode that goes through the page cache"),
        new("no file is left behind by a command that failed", Files, @"^files: Files .*\n(  - .*\n)+\z"),
        new("measure of a raw image refuses what cannot be a file's size", Said, @"^  \+ .*Image size must be less than 9223372036854775295"),
        new("an empty vmdk can be written to", Said, "Unsupported image type 'monolithicSparse'") { Lasts = true },
        new("vdi takes the preallocation mode that qemu-img's own help offers", Said, "^  - .*Unsupported preallocation mode: metadata") { Lasts = true },
        new("leaks of vdi are repaired", Said, "") { Step = "^check .*-r .*vdi" },
        new("convert -c -n writes also where the target has clusters already", Said | Content | Map | Check, @"^  - qemu-img: error while writing at byte \d+: Input/output error") { Step = "^convert .*-c" },
        new("convert -n leaves out zeros where the target reads as zeros already", Map, "^qemu-img map ") { Step = "^convert .*-n" },
        new("a vmdk whose parent was changed is refused when it is opened, with the reason, not when it is read", Said, @"^  \+ .* has CID ") { Lasts = true },
        new("what is refused has exit code 1", ExitCode, "^  - exit code 0\n  \\+ exit code 1$") { Step = "--target-is-zero" },
        new("the reason stands in one line, not in two", Errors, "Could not write to allocated cluster for streamOptimized"),
        new("the same refusal; the line that says what is wrong names the place otherwise", Errors, "^  - qcow2: Marking image as corrupt"),
        new("help is our own, a page for each command", Output, "See <https://qemu.org/contribute/report-a-bug>"),
        new("zeros that rebase and commit copy become zero clusters where that is smaller", Map | Check, "^qemu-img map ") { Step = "^(rebase|commit) " },
        new("the file of a preallocated image has smaller holes between metadata", Map | Check, "^qemu-img map ") { Step = "preallocation=metadata" },
        new("a conversion that failed leaves nothing that looks like an image", Info | Content | Map, @"^  \+     ""virtual-size"": 0,") { Step = "^convert " },
        new("commit empties an overlay of qed too", Map | Check | Info | Content, @"top\.qed") { Step = "^commit " },
        new("where bitmaps go because an image becomes version 2, so do their clusters; qemu-img leaves leaks", Check | Info, "^  - .*(Leaked cluster|contains bitmaps)") { Step = "^amend .*compat=0.10" },
        new("convert -c into qcow works; qemu-img 7.2 fails without a word", ExitCode, "^  - exit code 1\n  \\+ exit code 0$") { Step = "^convert .*-c.*-O qcow( |$)" },
    ];

    /// <summary>The differences that none of those that are known accounts for.</summary>
    public static IReadOnlyList<Difference> Unknown(ConformanceCase test, IReadOnlyList<Difference> differences)
    {
        (KnownDifference Known, int Step)[] seen =
            [.. differences.SelectMany(difference => List.Where(known => known.IsSignedBy(test, difference)).Select(known => (known, difference.Step)))];
        return [.. differences.Where(difference => !seen.Any(found => Accounts(found.Known, found.Step, difference)))];
    }

    private static bool Accounts(KnownDifference known, int step, Difference difference) =>
        ((known.Parts & difference.Part) != 0 && (difference.Step == step || difference.Step == Difference.AtTheEnd))
        || (known.Lasts && difference.Step > step);
}
