using System.Text.RegularExpressions;
using ImageCluster.Imaging;
using ImageCluster.Testing;
using ImageCluster.Testing.Qemu;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Conformance.Interruptions;

/// <summary>
/// A command that is killed (SIGKILL, SIGTERM, SIGINT, SIGHUP: ours has no handler, so that all are one) between any two of its changes to files, or in the middle of one:
/// <c>check -r all</c> makes the images sound, and each sector of the guest's is as it was or as it would have become. Files are in memory: each change is an instant.
/// </summary>
/// <remarks>CONFORMANCE_KILLS=all looks at every instant, at some also by qemu-img; otherwise a sample is drawn (<see cref="TestSeed"/>).</remarks>
public sealed partial class InterruptionTests(InterruptionFiles files) : IClassFixture<InterruptionFiles>, IDisposable
{
    private const int UsualKills = 6;
    private const int UsualFailures = 3;

    // Starting processes takes most of the time.
    private const int EveryByQemu = 8;

    private static readonly bool AtEveryInstant = Environment.GetEnvironmentVariable("CONFORMANCE_KILLS") == "all";

    private readonly TempDirectory _directory = new(Directory.Exists("/dev/shm") ? "/dev/shm" : null);

    public static TheoryData<string> Groups => [.. InterruptionCases.All.Select(static one => one.Group).Distinct()];

    public void Dispose() => _directory.Dispose();

    [SkippableTheory]
    [MemberData(nameof(Groups))]
    public void NothingIsLostByAKill(string group) => ForEach(group, Kill);

    /// <summary>The disk is full, or an access fails, once or from then on: the command says so and ends, and the images are as after a kill.</summary>
    [SkippableTheory]
    [MemberData(nameof(Groups))]
    public void NothingIsLostByAFailure(string group) => ForEach(group, Fail);

    private void ForEach(string group, Func<Interruption, bool, string> judge)
    {
        QemuTools.Require();
        List<string> complaints = [];
        int number = TestSeed.Value % EveryByQemu;
        foreach (InterruptionCase one in InterruptionCases.All.Where(one => one.Group == group))
        {
            Interruption run = new(one, files.Inputs.Make(one.Setup));
            string complaint = run.Failure.Length > 0 ? run.Failure : judge(run, number++ % EveryByQemu == 0);
            if (complaint.Length > 0)
            {
                complaints.Add($"{one.Line}: {complaint}");
            }
        }

        Assert.True(complaints.Count == 0, $"seed {TestSeed.Value}\n{string.Join('\n', complaints)}");
    }

    private string Fail(Interruption run, bool byQemu)
    {
        CallCounts counts = new();
        run.RunOn(FakeLocator.Counting(run.Start(), counts));
        List<(StorageCall Call, long Number, FailureKind Kind)> failures = [];
        foreach (StorageCall call in new[] { StorageCall.Write, StorageCall.WriteZeroes, StorageCall.SetLength, StorageCall.Allocate, StorageCall.Flush })
        {
            for (long number = 1; number <= counts[call]; number++)
            {
                failures.AddRange((call, number, FailureKind.Once), (call, number, FailureKind.Forever));
                if (call == StorageCall.Write)
                {
                    failures.Add((call, number, FailureKind.Torn));
                }
            }
        }

        (StorageCall Call, long Number, FailureKind Kind)[] chosen = [.. failures];
        Random random = new(TestSeed.Value);
        random.Shuffle(chosen);
        foreach ((StorageCall call, long number, FailureKind kind) in AtEveryInstant ? chosen : chosen.Take(UsualFailures))
        {
            FaultPlan plan = kind switch
            {
                FailureKind.Forever => FaultPlan.DieAt(call, number),
                FailureKind.Torn => FaultPlan.FailWriteBetweenPages(number, ImageErrorKind.NoSpace),
                _ => FaultPlan.FailCall(call, number, ImageErrorKind.NoSpace),
            };
            MemoryLocator files = run.Start();
            ToolResult result = run.RunOn(FakeLocator.Failing(files, plan));
            string verdict = !plan.Fired ? ""
                : result.ExitCode is not (0 or 1) ? $"exit code {result.ExitCode}\n{result.Error}"
                : result.ExitCode == 0 && kind == FailureKind.Forever && !run.IsDone(files) ? "success is reported"
                : result.ExitCode != 0 && result.Error.Length == 0 ? "nothing is said"
                : result.ExitCode != 0 && run.IsOneThing && result.Error.Count(static letter => letter == '\n') != 1 ? "it is not one thing that is said"
                : result.ExitCode != 0 && run.IsOneThing && Injected().Match(result.Error) is { Success: true } said && said.Value != call.ToString() ? "what is said is not what failed first"
                : run.Judge(files);
            if (verdict.Length == 0 && (byQemu || (AtEveryInstant && random.Next(EveryByQemu) == 0)))
            {
                byQemu = false;
                verdict = run.JudgeByQemu(files, _directory["left"]);
            }

            if (verdict.Length > 0)
            {
                return $"{call} {number} fails ({kind}): {verdict}\n{result.Error}";
            }
        }

        return "";
    }

    // What fails when the images are closed follows from that.
    [GeneratedRegex(@"(?<=Injected failure of )(Write|WriteZeroes|SetLength|Allocate|Flush)\b")]
    private static partial Regex Injected();

    private string Kill(Interruption run, bool byQemu)
    {
        CrashLocator disk = run.Undisturbed;
        List<(int Instant, bool IsTorn)> instants = [.. Enumerable.Range(0, disk.Instants + 1).Select(static at => (at, false)), .. Enumerable.Range(0, disk.Instants).Where(disk.CanTear).Select(static at => (at, true))];
        Random random = new(TestSeed.Value);
        (int Instant, bool IsTorn)[] chosen = [.. instants];
        random.Shuffle(chosen);
        foreach ((int instant, bool isTorn) in AtEveryInstant ? chosen : chosen.Take(UsualKills))
        {
            string verdict = run.Judge(disk.AfterKill(instant, isTorn));
            if (verdict.Length == 0 && (byQemu || (AtEveryInstant && random.Next(EveryByQemu) == 0)))
            {
                byQemu = false;
                verdict = run.JudgeByQemu(disk.AfterKill(instant, isTorn), _directory["left"]);
            }

            if (verdict.Length > 0)
            {
                return $"{(isTorn ? "in the middle of" : "before")} change {instant} of {disk.Instants} ({disk.Describe(instant)}, after {disk.Describe(Math.Max(0, instant - 1))}): {verdict}";
            }
        }

        return "";
    }

    private enum FailureKind
    {
        Once,
        Torn,
        Forever,
    }
}
