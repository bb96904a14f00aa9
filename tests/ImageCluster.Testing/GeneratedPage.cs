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

    private static string Root([CallerFilePath] string here = "") => Path.GetFullPath(Path.Combine(Path.GetDirectoryName(here)!, "../.."));
}
