using System.Globalization;
using ImageCluster.Conformance.Walk;
using ImageCluster.Testing;
using ImageCluster.Testing.Qemu;
using Xunit.Abstractions;

namespace ImageCluster.Conformance;

/// <summary>
/// Walks over the commands, their options, and images of every format and state, right and wrong, by lot. CONFORMANCE_COUNT says how many cases
/// there are of each command (thousands, when differences are hunted), CONFORMANCE_REPORT where to write all that is found.
/// </summary>
public sealed class WalkTests(Sandbox sandbox, ITestOutputHelper output) : IClassFixture<Sandbox>
{
    private const int UsualCount = 8;

    public static TheoryData<string> Commands => [.. WalkGrammar.Commands.Select(static command => command.Name)];

    [SkippableTheory]
    [MemberData(nameof(Commands))]
    public void BothProgramsDoTheSame(string command)
    {
        QemuTools.Require();
        int count = int.TryParse(Environment.GetEnvironmentVariable("CONFORMANCE_COUNT"), CultureInfo.InvariantCulture, out int asked) ? asked : UsualCount;
        List<string> found = [];
        for (int i = 0; i < count; i++)
        {
            int seed = unchecked((TestSeed.Value * 10_007) + (command.Sum(static c => c) * 1_000_003) + i);
            ConformanceCase test = new Walker(seed).Draw(command);
            List<Difference> differences = Differences(test, i);
            if (KnownDifferences.Unknown(test, differences) is [_, ..] unknown)
            {
                found.Add($"=== {command}, case {i}, IMAGECLUSTER_SEED={TestSeed.Value}\n{string.Join('\n', test.Steps)}\n{string.Join('\n', unknown)}\n{(unknown.Count < differences.Count ? $"--- all differences:\n{string.Join('\n', differences)}\n" : "")}");
            }
        }

        Report(found);
        Assert.True(found.Count == 0, string.Join('\n', found));
    }

    private List<Difference> Differences(ConformanceCase test, int number)
    {
        try
        {
            return sandbox.Differences(test, everyFile: true, ofStep =>
            {
                KnownDifference? known = KnownDifferences.Changing(test, ofStep);
                if (known is not null)
                {
                    output.WriteLine($"case {number} goes on from qemu-img's files behind \"{test.Steps[ofStep[0].Step]}\": {known.What}");
                }

                return known is not null;
            });
        }
        catch (Exception e)
        {
            return [new Difference(DifferencePart.End, "a program", $"{e.Message}\n")];
        }
    }

    private static void Report(List<string> found)
    {
        if (found.Count > 0 && Environment.GetEnvironmentVariable("CONFORMANCE_REPORT") is { } report)
        {
            File.AppendAllLines(report, found);
        }
    }
}
