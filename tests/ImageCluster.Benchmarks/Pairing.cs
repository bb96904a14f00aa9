using System.Globalization;

namespace ImageCluster.Benchmarks;

/// <summary>Runs of two programs in turn, after one of each that does not count.</summary>
internal sealed record Pairing(IReadOnlyList<Measurement> Ours, IReadOnlyList<Measurement> Theirs)
{
    public static Pairing Measure(Operation operation, Workspace workspace, string ours, string theirs, int runs)
    {
        List<Measurement> a = [];
        List<Measurement> b = [];
        for (int i = -1; i < runs; i++)
        {
            Measurement first = Once(workspace, ours, operation.Arguments);
            Measurement second = Once(workspace, theirs, operation.Baseline ?? operation.Arguments);
            if (i >= 0)
            {
                a.Add(first);
                b.Add(second);
            }
        }

        workspace.BeforeRun();
        return new Pairing(a, b);
    }

    public string[] Cells(string name)
    {
        double[] ratios = [.. Ours.Zip(Theirs, (a, b) => a.Wall / b.Wall).Order()];
        return
        [
            name,
            Number(Median(Ours.Select(m => m.Wall))),
            Number(Median(Theirs.Select(m => m.Wall))),
            Number(ratios[ratios.Length / 2]),
            $"{Number(ratios[0])}-{Number(ratios[^1])}",
            Number(Median(Ours.Zip(Theirs, (a, b) => a.Cpu / b.Cpu))),
            Number(Ours.Max(m => m.PeakMemory) / 1048576.0),
            Number(Theirs.Max(m => m.PeakMemory) / 1048576.0),
        ];
    }

    private static Measurement Once(Workspace workspace, string program, string arguments)
    {
        workspace.BeforeRun();
        return MeasuredProcess.Run(program, workspace.Expand(arguments).Split(' '));
    }

    private static double Median(IEnumerable<double> values)
    {
        double[] ordered = [.. values.Order()];
        return ordered[ordered.Length / 2];
    }

    private static string Number(double value) => value.ToString(value < 10 ? "0.00" : "0", CultureInfo.InvariantCulture);
}
