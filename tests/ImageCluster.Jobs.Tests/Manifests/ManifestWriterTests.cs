using ImageCluster.Jobs.Manifests;

namespace ImageCluster.Jobs.Tests.Manifests;

public class ManifestWriterTests
{
    [Fact]
    public void Documented_examples_survive_writing_and_reading()
    {
        Assert.Equal(["small", "full"], ManifestExamples.Documented.Keys);
        foreach (string example in ManifestExamples.Documented.Values)
        {
            AssertRoundTrip(ManifestParser.Parse(example, formats: FakeFormats.All));
        }
    }

    [Theory]
    [InlineData("plain")]
    [InlineData("yes")]
    [InlineData("1.5")]
    [InlineData("a: b # c")]
    [InlineData("quote \" and \\ backslash")]
    [InlineData("umlaut ä, emoji 😀, line sep \u2028 nbsp \u00a0.")]
    [InlineData("null")]
    [InlineData("&anchor *alias !tag {x} [y] | > % @ `")]
    public void Any_text_survives(string text)
    {
        MigrationManifest manifest = ManifestParser.Parse(ManifestExamples.Documented["full"], formats: FakeFormats.All);
        AssertRoundTrip(manifest with
        {
            Name = text,
            Sources = [new SourceSelection { Root = new RootReference(text), Files = [text] }],
            Target = manifest.Target with { Options = new Dictionary<string, string> { ["cluster_size"] = text }, Existing = ExistingTarget.Replace, Secret = "vault.2" },
            Limits = new MigrationLimits { Roots = Sorted([(text, new RootLimit()), ("kvm", new RootLimit(3, new ByteRate(7)))]) },
        });
    }

    private static SortedDictionary<string, RootLimit> Sorted((string Root, RootLimit Limit)[] limits) =>
        new(limits.ToDictionary(limit => limit.Root, limit => limit.Limit), StringComparer.Ordinal);

    private static void AssertRoundTrip(MigrationManifest manifest)
    {
        string written = ManifestWriter.Write(manifest);
        MigrationManifest read = ManifestParser.Parse(written, formats: FakeFormats.All);
        Assert.Equal(written, ManifestWriter.Write(read));
        Assert.Equivalent(manifest, read, strict: true);
    }
}
