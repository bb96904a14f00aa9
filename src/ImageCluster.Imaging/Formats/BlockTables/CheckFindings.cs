using ImageCluster.Imaging.Formats.Capabilities;

namespace ImageCluster.Imaging.Formats.BlockTables;

/// <summary>Keeps the list of findings of a check bounded: a broken table of millions of entries gives as many findings.</summary>
internal static class CheckFindings
{
    private const int MaxMessages = 10_000;

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
