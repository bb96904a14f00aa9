using System.Runtime.CompilerServices;
using Xunit;

namespace ImageCluster.Testing;

/// <summary>Pages of docs/ that are made from tables in the code: a test compares them, or writes them where UPDATE_DOCS is set.</summary>
public static class GeneratedPage
{
    /// <param name="path">From the repository's root.</param>
    /// <param name="text">What the page must say.</param>
    public static void Check(string path, string text)
    {
        string file = Path.Combine(Root(), path);
        if (Environment.GetEnvironmentVariable("UPDATE_DOCS") is not null)
        {
            File.WriteAllText(file, text);
        }

        Assert.True(File.Exists(file) && File.ReadAllText(file) == text, $"{path} is not up to date: set UPDATE_DOCS=1 and run this test again.");
    }

    /// <summary>Checks, or writes, a part of a page that people write: what stands between <c>&lt;!-- NAME --&gt;</c> and <c>&lt;!-- end of NAME --&gt;</c>.</summary>
    /// <param name="path">From the repository's root.</param>
    /// <param name="name">Of the part.</param>
    /// <param name="text">What must stand there.</param>
    public static void CheckPart(string path, string name, string text)
    {
        string page = File.ReadAllText(Path.Combine(Root(), path));
        string start = $"<!-- {name} -->\n";
        int from = page.IndexOf(start, StringComparison.Ordinal) + start.Length;
        int to = page.IndexOf($"<!-- end of {name} -->", StringComparison.Ordinal);
        Assert.True(from >= start.Length && to >= from, $"{path} has no part '{name}'");
        Check(path, string.Concat(page.AsSpan(0, from), text, page.AsSpan(to)));
    }

    private static string Root([CallerFilePath] string here = "") => Path.GetFullPath(Path.Combine(Path.GetDirectoryName(here)!, "../.."));
}
