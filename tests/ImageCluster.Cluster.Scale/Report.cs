using System.Globalization;

namespace ImageCluster.Cluster.Scale;

/// <summary>Prints what was measured, and how it compares to its limit.</summary>
internal sealed class Report(TextWriter output)
{
    private bool _missed;

    /// <summary>0 where every limit was kept, else 1.</summary>
    public int ExitCode => _missed ? 1 : 0;

    public void Say(FormattableString line)
    {
        output.WriteLine(line.ToString(CultureInfo.InvariantCulture));
        output.Flush();
    }

    public void AtLeast(string what, double value, double limit) => Judge(what, value, "at least", limit, value >= limit);

    public void AtMost(string what, double value, double limit) => Judge(what, value, "at most", limit, value <= limit);

    private void Judge(string what, double value, string sense, double limit, bool isKept)
    {
        _missed |= !isKept;
        Say($"{(isKept ? "KEPT  " : "MISSED")} {what}: {value:#,0.##} ({sense} {limit:#,0.##})");
    }
}
