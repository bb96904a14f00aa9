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

    /// <summary>How many of the steps that may have caused it look so.</summary>
    public int Times { get; init; } = 1;

    /// <summary>The files are others than with qemu-img from here on: both programs go on from qemu-img's, so that what comes later must be the same.</summary>
    public bool ChangesFiles { get; init; }

    public bool IsSignedBy(ConformanceCase test, Difference difference) =>
        Regex.IsMatch(difference.ToString(), Sign, RegexOptions.Multiline)
        && (Step is null || StepsOf(test, difference).Count(step => Regex.IsMatch(step, Step)) >= Times);

    // What stands at the end may come of any step.
    private static IEnumerable<string> StepsOf(ConformanceCase test, Difference difference) =>
        difference.Step < test.Steps.Count ? [test.Steps[difference.Step]] : test.Steps;
}

/// <summary>What a walk may find otherwise than with qemu-img. Each names what differs: a case passes only where all that differs is accounted for.</summary>
internal static class KnownDifferences
{
    public static IReadOnlyList<KnownDifference> List { get; } =
    [
        new("qemu-img ends by a signal (a division by zero, a failed assertion); ours refuses or does what was asked", Said, "^  - exit code 13[4-9]$") { ChangesFiles = true },
        new("a chain that leads back to itself is refused as a loop, also where a lock shows it to qemu-img by chance", Said, @"^  \+ .*creates an infinite loop") { ChangesFiles = true },
        new("qemu-img does not end on a chain that leads back to itself; ours refuses it", End, @"/usr/bin/qemu-img does not end; ours has exit code [12]\n.*creates an infinite loop") { ChangesFiles = true },
        new("where there is no direct access, a line says what to do", Errors, @"^  \+ .*Use a cache mode that goes through the page cache"),
        new("no file is left behind by a command that failed", Files, @"^files: Files .*\n(  - .*\n)+\z"),
        new("measure of a raw image refuses what cannot be a file's size", Said, @"^  \+ .*Image size must be less than 9223372036854775295"),
        new("an empty vmdk can be written to", Said | Content, "Unsupported image type 'monolithicSparse'") { ChangesFiles = true },
        new("vdi takes the preallocation mode that qemu-img's own help offers", Said, "^  - .*Unsupported preallocation mode: metadata") { ChangesFiles = true },
        new("leaks of vdi are repaired", Said, "") { Step = "^check .*-r .*vdi" },
        new("convert -c -n writes also where the target has clusters already", Said | Content | Map | Check, @"^  - qemu-img: error while writing at byte \d+: Input/output error") { Step = "^convert .*-c" },
        new("convert -n leaves out zeros where the target reads as zeros already", Map | Check, "^qemu-img map ") { Step = "^convert .*-n" },
        new("a vmdk whose parent was changed is refused when it is opened, with the reason, not when it is read", Said, @"^  \+ .*( has CID |is no vmdk image, so it cannot be the parent)") { ChangesFiles = true },
        new("what is refused has exit code 1", ExitCode, "^  - exit code 0\n  \\+ exit code 1$") { Step = "--target-is-zero" },
        new("the same refusal; the line that says what is wrong names the place otherwise", Errors, "^  - qcow2: Marking image as corrupt"),
        new("help is our own, a page for each command", Output, "See <https://qemu.org/contribute/report-a-bug>"),
        new("zeros that rebase and commit copy become zero clusters where that is smaller", Map | Check, "^qemu-img map ") { Step = "^(rebase|commit) " },
        new("the file of a preallocated image has smaller holes between metadata", Map | Check, "^qemu-img map ") { Step = "preallocation=metadata" },
        new("a conversion that failed leaves nothing that looks like an image", Info | Content | Map, @"^  \+     ""virtual-size"": 0,") { Step = "^convert " },
        new("commit empties an overlay of qed too", Map | Check | Info | Content, @"top\.qed") { Step = "^commit " },
        new("where bitmaps go because an image becomes version 2, so do their clusters; qemu-img leaves leaks", Check | Info, "^  - .*(Leaked cluster|contains bitmaps)") { Step = "^amend .*compat=0.10" },
        new("measure leaves out what a vhdx, bochs or dmg image does not hold; qemu-img counts all of it", Output, "required( size)?") { Step = @"^measure .*(vhdx|bochs|dmg)" },
        new("a file that stands where another cannot be created is kept; qemu-img empties what a link leads to", Files | Image, @"^files: Files .*\n(  (\+ (?!out)\S+|- nowhere)\n)+\z") { Step = "^(create|convert|dd) " },
        new("and so is one that an earlier command made", Files | Image, @"^files: Files .*\n  \+ out\n\z") { Step = @"^(create|convert|dd) .*\bout\b", Times = 2 },
        new("a vmdk, qcow, parallels or luks image of a size that nobody can open is refused", Said | Files | End, @"^(  \+ |qemu-img: ).*(Image size is beyond|is too large|Image too large|must be less)") { Step = "^create ", ChangesFiles = true },
        new("amend: what is refused changes nothing; qemu-img does a part of it first", Info | Check | Map, "") { Step = "^amend (?=.*(backing_|size=|data_file|encrypt))(?=.*(compat|refcount_bits|lazy))" },
        new("bench without room for a request is refused; qemu-img does not end", End, @"/usr/bin/qemu-img does not end; ours has exit code 1\n.*Invalid queue depth"),
        new("what stands where an image is refused is kept; qemu-img empties it", Image, @"^  -     ""virtual-size"": 0,") { Step = "^(create|convert|dd) " },
        new("what is read is not emptied by the same command, with -U either", Said | Image, @"^  \+ .*Failed to get ""write"" lock") { Step = "^(dd|convert) .*(-U|--force-share)", ChangesFiles = true },
        new("check -r keeps snapshots beside bitmaps; qemu-img loses them", Said | Image, "^  - .*([Ll]eaked cluster|corruptions)") { Step = @"^check .*-r .*\b[ms]\.qcow2", ChangesFiles = true },
        new("zeros over an entry that points into a cluster: ours marks the image as corrupt, as with data; qemu-img drops the entry", Said | Image, "^  - qcow2: Image is corrupt: Cannot free unaligned cluster") { ChangesFiles = true },
        new("with detect-zeroes, zeros in a part of what is written at once are found too; qemu-img looks at requests as a whole", Map | Check, "^qemu-img (map|check) ") { Step = "detect-zeroes=(on|unmap)" },
        new("direct access to a file that begins with a hole and does not end with a page", Said, "^  - .*Image size is not a multiple of request alignment"),
        new("zeros shorter than -S are kept also where qemu-img looks at a vmdk grain by grain", Map | Check, "^qemu-img map ") { Step = @"^convert .*-S 1M.*vmdk" },
        new("convert --target-is-zero into what is not zero: where the source has zeros, a unit of the target that is written in part becomes zero", Content | Map | Check, "") { Step = "^convert .*--target-is-zero" },
        new("dd: count blocks are copied; qemu-img takes skip off the count", Map | Check | Info | Content | Said, "") { Step = @"^dd .*(count=.*skip=[1-9]|skip=[1-9].*count=)", ChangesFiles = true },
        new("convert -c into qcow works; qemu-img 7.2 fails without a word", Said | Files | Content | Map, "") { Step = "^convert (?=.*-c)(?=.*(-O qcow( |$)|driver=qcow,))" },
    ];

    /// <summary>The differences that none of those that are known accounts for.</summary>
    public static IReadOnlyList<Difference> Unknown(ConformanceCase test, IReadOnlyList<Difference> differences)
    {
        (KnownDifference Known, int Step)[] seen =
            [.. differences.SelectMany(difference => List.Where(known => known.IsSignedBy(test, difference)).Select(known => (known, difference.Step)))];
        return [.. differences.Where(difference => !seen.Any(found => Accounts(found.Known, found.Step, difference)))];
    }

    /// <summary>What of the known differences changes the files, among the differences of one step that are all accounted for; null for nothing.</summary>
    public static KnownDifference? Changing(ConformanceCase test, IReadOnlyList<Difference> ofStep) => Unknown(test, ofStep).Count > 0
        ? null
        : List.FirstOrDefault(known => known.ChangesFiles && ofStep.Any(difference => known.IsSignedBy(test, difference)));

    private static bool Accounts(KnownDifference known, int step, Difference difference) =>
        (known.Parts & difference.Part) != 0 && (difference.Step == step || difference.Step == Difference.AtTheEnd);
}
