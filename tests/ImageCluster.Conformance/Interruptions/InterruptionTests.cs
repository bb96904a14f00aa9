using ImageCluster.Testing;
using ImageCluster.Testing.Qemu;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Conformance.Interruptions;

/// <summary>
/// A command that is killed (SIGKILL, SIGTERM, SIGINT, SIGHUP: ours has no handler, so that all are one) between any two of its changes to files, or in the middle of one:
/// <c>check -r all</c> makes the images sound, and each sector of the guest's is as it was or as it would have become. Files are in memory: each change is an instant.
/// </summary>
/// <remarks>CONFORMANCE_KILLS=all looks at every instant, also by qemu-img; otherwise a sample is drawn (<see cref="TestSeed"/>).</remarks>
public sealed class InterruptionTests : IDisposable
{
    private const int UsualInstants = 12;

    // Starting processes takes most of the time.
    private const int EveryByQemu = 4;

    private static readonly bool AtEveryInstant = Environment.GetEnvironmentVariable("CONFORMANCE_KILLS") == "all";

    private readonly TempDirectory _directory = new(Directory.Exists("/dev/shm") ? "/dev/shm" : null);

    public static TheoryData<string> Groups => [.. InterruptionCases.All.Select(static one => one.Group).Distinct()];

    public void Dispose() => _directory.Dispose();

    [SkippableTheory]
    [MemberData(nameof(Groups))]
    public void NothingIsLostByAKill(string group)
    {
        QemuTools.Require();
        Inputs inputs = new(_directory.Path);
        List<string> complaints = [];
        int number = TestSeed.Value % EveryByQemu;
        foreach (InterruptionCase one in InterruptionCases.All.Where(one => one.Group == group))
        {
            inputs.CopyTo(one.Setup, _directory["in"]);
            Interruption run = new(one, _directory["in"]);
            Directory.Delete(_directory["in"], recursive: true);
            if (Kill(run, number++ % EveryByQemu == 0) is { Length: > 0 } complaint)
            {
                complaints.Add($"{one.Line}: {complaint}");
            }
        }

        Assert.True(complaints.Count == 0, $"seed {TestSeed.Value}\n{string.Join('\n', complaints)}");
    }

    private string Kill(Interruption run, bool byQemu)
    {
        if (run.Failure.Length > 0)
        {
            return run.Failure;
        }

        CrashLocator disk = run.Undisturbed;
        List<(int Instant, bool IsTorn)> instants = [.. Enumerable.Range(0, disk.Instants + 1).Select(static at => (at, false)), .. Enumerable.Range(0, disk.Instants).Where(disk.CanTear).Select(static at => (at, true))];
        Random random = new(TestSeed.Value);
        (int Instant, bool IsTorn)[] chosen = [.. instants];
        random.Shuffle(chosen);
        foreach ((int instant, bool isTorn) in AtEveryInstant ? chosen : chosen.Take(UsualInstants))
        {
            string verdict = run.Judge(disk.AfterKill(instant, isTorn));
            if (verdict.Length == 0 && (byQemu || AtEveryInstant))
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
}
