using System.Text.RegularExpressions;

namespace ImageCluster.Jobs.Tests.Manifests;

/// <summary>The examples of docs/manifest.md by the names that the page gives them.</summary>
internal static partial class ManifestExamples
{
    public static IReadOnlyDictionary<string, string> Documented { get; } = Read();

    private static Dictionary<string, string> Read()
    {
        using Stream stream = typeof(ManifestExamples).Assembly.GetManifestResourceStream("manifest.md")!;
        using var reader = new StreamReader(stream);
        return Example().Matches(reader.ReadToEnd()).ToDictionary(match => match.Groups[1].Value, match => match.Groups[2].Value);
    }

    [GeneratedRegex(@"<!-- example: (\w+) -->\n```yaml\n(.*?)```", RegexOptions.Singleline)]
    private static partial Regex Example();
}
