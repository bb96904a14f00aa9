using System.Runtime.CompilerServices;

namespace ImageCluster.Node.Tests.Configuration;

/// <summary>A part of a page in docs/ that is made from code, between two comments; written anew where UPDATE_DOCS is set.</summary>
internal static class GeneratedSection
{
    /// <param name="path">From the repository's root.</param>
    /// <param name="name">Stands in both comments.</param>
    /// <param name="text">What must be between them, without the line ends beside them.</param>
    public static void Check(string path, string name, string text)
    {
        string file = Path.Combine(Root(), path);
        string page = File.ReadAllText(file);
        string begin = $"<!-- generated: {name} -->\n";
        string end = $"<!-- end: {name} -->\n";
        int from = page.IndexOf(begin, StringComparison.Ordinal) + begin.Length;
        int to = page.IndexOf(end, StringComparison.Ordinal);
        Assert.True(from >= begin.Length && to >= from, $"{path} has no place for '{name}'");
        string wanted = string.Concat(page.AsSpan(0, from), text, page.AsSpan(to));
        if (Environment.GetEnvironmentVariable("UPDATE_DOCS") is not null)
        {
            File.WriteAllText(file, wanted);
            return;
        }

        Assert.True(page == wanted, $"{path} is not up to date: set UPDATE_DOCS=1 and run this test again.");
    }

    private static string Root([CallerFilePath] string here = "") => Path.GetFullPath(Path.Combine(Path.GetDirectoryName(here)!, "../../.."));
}
