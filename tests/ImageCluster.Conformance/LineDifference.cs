using System.Text;

namespace ImageCluster.Conformance;

/// <summary>Shows two texts as a list of the lines that only one of them has.</summary>
internal static class LineDifference
{
    private const int MaxLines = 2000;

    /// <summary>Lines of <paramref name="expected"/> alone after <c>-</c>, of <paramref name="actual"/> alone after <c>+</c>; empty where the texts are equal.</summary>
    public static string Of(string expected, string actual)
    {
        if (expected == actual)
        {
            return "";
        }

        string[] a = [.. expected.Split('\n').Take(MaxLines)];
        string[] b = [.. actual.Split('\n').Take(MaxLines)];
        int[,] common = new int[a.Length + 1, b.Length + 1];
        for (int i = a.Length - 1; i >= 0; i--)
        {
            for (int j = b.Length - 1; j >= 0; j--)
            {
                common[i, j] = a[i] == b[j] ? common[i + 1, j + 1] + 1 : Math.Max(common[i + 1, j], common[i, j + 1]);
            }
        }

        StringBuilder text = new();
        for (int i = 0, j = 0; i < a.Length || j < b.Length;)
        {
            if (i < a.Length && j < b.Length && a[i] == b[j])
            {
                (i, j) = (i + 1, j + 1);
            }
            else if (i < a.Length && (j == b.Length || common[i + 1, j] >= common[i, j + 1]))
            {
                text.Append($"  - {a[i++]}\n");
            }
            else
            {
                text.Append($"  + {b[j++]}\n");
            }
        }

        return text.Length > 0 ? text.ToString() : "  (they differ behind the first lines)\n";
    }
}
