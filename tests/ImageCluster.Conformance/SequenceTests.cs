using System.Globalization;
using ImageCluster.Conformance.Sequences;
using ImageCluster.Testing;
using ImageCluster.Testing.Qemu;

namespace ImageCluster.Conformance;

/// <summary>
/// An image and what it stands on, changed by ours and by qemu-img in turn: writes, snapshots, resizes, amendments, bitmaps, commits, rebases. The
/// other program does each change to a copy, and must come to the same; after every few changes the guest sees what a model of plain bytes says,
/// and both programs find the images sound. CONFORMANCE_COUNT says how many sequences there are of each kind.
/// </summary>
public sealed class SequenceTests
{
    private const int Steps = 15;

    public static TheoryData<string> Kinds => [.. SequenceKind.All.Select(static kind => kind.Name)];

    [SkippableTheory]
    [MemberData(nameof(Kinds))]
    public void BothProgramsInTurnKeepWhatTheGuestSees(string kind)
    {
        QemuTools.Require();
        int count = int.TryParse(Environment.GetEnvironmentVariable("CONFORMANCE_COUNT"), CultureInfo.InvariantCulture, out int asked) ? asked : 1;
        for (int i = 0; i < count; i++)
        {
            using Sequence sequence = new(SequenceKind.All.Single(known => known.Name == kind), unchecked(TestSeed.Value + kind.Sum(static letter => letter) + (i * 100_003)));
            sequence.Run(Steps);
        }
    }
}
