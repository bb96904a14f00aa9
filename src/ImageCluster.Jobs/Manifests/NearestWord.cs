namespace ImageCluster.Jobs.Manifests;

/// <summary>Finds what somebody who mistyped a word most likely meant.</summary>
internal static class NearestWord
{
    /// <summary>The candidate with the fewest edits from <paramref name="word"/>, or null where none is near.</summary>
    public static string? Find(string word, IEnumerable<string> candidates)
    {
        string? best = null;
        int limit = Math.Max(1, word.Length / 2);
        foreach (string candidate in candidates)
        {
            int distance = word.Length > 64 ? int.MaxValue : Distance(word.ToLowerInvariant(), candidate);
            if (distance <= limit)
            {
                best = candidate;
                limit = distance - 1;
            }
        }

        return best;
    }

    /// <summary>"; did you mean 'x'?" where something is near, else "; known: a, b, c".</summary>
    public static string Hint(string word, IReadOnlyCollection<string> candidates, string before = "", string after = "") =>
        Find(word, candidates) is { } near
            ? $"; did you mean '{before}{near}{after}'?"
            : $"; known: {string.Join(", ", candidates.Select(candidate => before + candidate + after))}";

    // Levenshtein, with the swap of two neighbours as one edit.
    private static int Distance(string a, string b)
    {
        var rows = new int[a.Length + 1, b.Length + 1];
        for (int i = 0; i <= a.Length; i++)
        {
            for (int j = 0; j <= b.Length; j++)
            {
                if (i == 0 || j == 0)
                {
                    rows[i, j] = i + j;
                    continue;
                }

                int change = rows[i - 1, j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
                rows[i, j] = Math.Min(change, Math.Min(rows[i - 1, j], rows[i, j - 1]) + 1);
                if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                {
                    rows[i, j] = Math.Min(rows[i, j], rows[i - 2, j - 2] + 1);
                }
            }
        }

        return rows[a.Length, b.Length];
    }
}
