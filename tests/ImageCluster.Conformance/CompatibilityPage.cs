using System.Text;
using ImageCluster.Conformance.Cases;
using ImageCluster.Conformance.Walk;
using ImageCluster.Imaging.Formats;

namespace ImageCluster.Conformance;

/// <summary>The page docs/compatibility.md, made from the cases: each row is kept true by the test of the same name.</summary>
internal static class CompatibilityPage
{
    public static string Text()
    {
        StringBuilder text = new();
        text.Append("# Compatibility with qemu-img 7.2\n\n");
        text.Append("Made from the conformance suite (`tests/ImageCluster.Conformance`), which runs qemu-img and ours on the same inputs and compares standard\n");
        text.Append("output, errors, exit code, the files left behind, guest bytes, check and map. Do not edit; to make it anew:\n");
        text.Append("`UPDATE_DOCS=1 dotnet test tests/ImageCluster.Conformance --filter CompatibilityPage`.\n\n");
        text.Append("- *same*: all of it is the same.\n- *better*, *differs*: how and why stands beside it.\n- *not yet*: the format cannot be read or written here yet.\n\n");
        text.Append("Not compared, because they differ on purpose: `--help` (our own words, and one page a command), the second part of `--version`,\n");
        text.Append("the percentages that `-p` prints between 0 and 100, and the command `completion`, which qemu-img does not have.\n\n");
        text.Append("Beside these cases, a walk draws command lines from the whole manual (every option, image, format and slip of the hand; `WalkTests`) and\n");
        text.Append("accepts nothing but:\n\n");
        foreach (KnownDifference known in KnownDifferences.List)
        {
            text.Append($"- {Escape(known.What)}\n");
        }

        text.Append("\n## Formats\n\nWhat the engine says of itself, and which of the cases below have another outcome than with qemu-img.\n\n");
        text.Append(FormatMatrix.Text(withDifferences: true));
        text.Append("\n## Drivers that are not here\n\nWho names one of these drivers of QEMU's, or a name of its protocol, is told that it is not supported, and the reason.\n\n| driver | reason |\n|---|---|\n");
        foreach ((string name, string reason) in UnsupportedDrivers.List)
        {
            text.Append($"| {name} | {Escape(reason)} |\n");
        }

        foreach (IGrouping<string, ConformanceCase> command in AllCases.List.GroupBy(static c => c.Command).OrderBy(static g => g.Key, StringComparer.Ordinal))
        {
            text.Append($"\n## {command.Key}\n\n| what | format | result |\n|---|---|---|\n");
            foreach (ConformanceCase test in command)
            {
                text.Append($"| {Escape(test.Topic)} | {test.Format} | {Result(test)} |\n");
            }
        }

        return text.ToString();
    }

    private static string Result(ConformanceCase test) => test switch
    {
        { IsAvailable: false } => "not yet",
        { Verdict: Verdict.Same } => "same",
        { Verdict: Verdict.Better } => $"better: {Escape(test.Reason)}",
        _ => $"differs: {Escape(test.Reason)}",
    };

    private static string Escape(string text) => text.Replace("|", "\\|", StringComparison.Ordinal);
}
