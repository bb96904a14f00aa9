using System.Runtime.CompilerServices;
using ImageCluster.Imaging.Formats.Capabilities;

namespace ImageCluster.Imaging.Formats.BlockTables;

/// <summary>Keeps the list of findings of a check bounded: a broken table of millions of entries gives as many findings.</summary>
internal static class CheckFindings
{
    private const int MaxMessages = 10_000;

    /// <summary>Nothing more will be listed: whoever counts many findings need not word them.</summary>
    public static bool IsFull(this CheckReport report) => report.Messages.Count > MaxMessages;

    /// <summary>As <see cref="Say(CheckReport, string)"/>, <paramref name="times"/> times; the words cost nothing where the list is full.</summary>
    public static void Say(this CheckReport report, [InterpolatedStringHandlerArgument(nameof(report))] ref FindingText text, long times = 1)
    {
        if (!text.IsWanted)
        {
            return;
        }

        string message = text.Take();
        for (long i = 0; i < times && !report.IsFull(); i++)
        {
            report.Say(message);
        }
    }

    /// <summary>Counts corruptions that are all alike, and lists each.</summary>
    public static void Corrupt(this CheckReport report, long times, [InterpolatedStringHandlerArgument(nameof(report))] ref FindingText text)
    {
        report.Corruptions += times;
        report.Say(ref text, times);
    }

    public static void Say(this CheckReport report, string message)
    {
        if (report.Messages.Count < MaxMessages)
        {
            report.Messages.Add(message);
        }
        else if (report.Messages.Count == MaxMessages)
        {
            report.Messages.Add("(further findings are counted, not listed)");
        }
    }
}
