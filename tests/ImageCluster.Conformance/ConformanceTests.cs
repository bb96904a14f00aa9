using ImageCluster.Conformance.Cases;
using ImageCluster.Testing.Qemu;

namespace ImageCluster.Conformance;

/// <summary>Every row of the tables under Cases.</summary>
public sealed class ConformanceTests(Sandbox sandbox) : IClassFixture<Sandbox>
{
    public static TheoryData<string> Names => [.. AllCases.List.Select(static c => c.Name)];

    [SkippableTheory]
    [MemberData(nameof(Names))]
    public void Case(string name)
    {
        QemuTools.Require();
        ConformanceCase test = AllCases.List.Single(c => c.Name == name);
        Skip.IfNot(test.IsAvailable, $"the format {test.Format} cannot be {(test.Command is "create" or "convert" ? "written" : "read")} here yet");
        Skip.IfNot(!test.NeedsNbd || File.Exists("/usr/bin/nbdkit"), "nbdkit is not installed");
        Skip.IfNot(!test.NeedsWeb || Programs.QemuReadsWeb, "qemu-img's curl module (Debian: qemu-block-extra) is not installed");
        List<Difference> differences = sandbox.Differences(test);
        if (test.Verdict == Verdict.Same)
        {
            Assert.True(differences.Count == 0, string.Join('\n', differences));
        }
        else
        {
            Assert.True(differences.Count > 0, $"The case says that it {test.Verdict} ({test.Reason}), but all is the same.");
            Assert.True(differences.TrueForAll(difference => (difference.Part & test.Differs) != 0), $"More differs than the case says ({test.Differs}):\n{string.Join('\n', differences)}");
        }
    }
}
