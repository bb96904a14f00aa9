using System.Text;

namespace ImageCluster.Api.Operating;

/// <summary>Rows of text under headings, for consoles. What would break a line or drive a terminal is shown as an escape.</summary>
internal sealed class TextTable(params string[] headings)
{
    private readonly List<string[]> _rows = [];

    /// <summary>A heading that starts with '&gt;' has its column set flush right.</summary>
    public TextTable Add(params string[] cells)
    {
        _rows.Add([.. cells.Select(Safe)]);
        return this;
    }

    /// <summary>The lines, or <paramref name="nothing"/> where there are no rows.</summary>
    public string ToText(string nothing)
    {
        if (_rows.Count == 0)
        {
            return nothing;
        }

        bool[] right = [.. headings.Select(heading => heading.StartsWith('>'))];
        string[] first = [.. headings.Select(heading => heading.TrimStart('>'))];
        int[] widths = [.. first.Select((heading, i) => Math.Max(heading.Length, _rows.Max(row => row[i].Length)))];
        var text = new StringBuilder();
        foreach (string[] row in (string[][])[first, .. _rows])
        {
            string line = string.Join("  ", row.Select((cell, i) => right[i] ? cell.PadLeft(widths[i]) : cell.PadRight(widths[i])));
            text.Append(text.Length > 0 ? "\n" : "").Append(line.TrimEnd());
        }

        return text.ToString();
    }

    internal static string Safe(string text) => text.Any(char.IsControl)
        ? string.Concat(text.Select(c => char.IsControl(c) ? $"\\x{(int)c:x2}" : c.ToString()))
        : text;
}
