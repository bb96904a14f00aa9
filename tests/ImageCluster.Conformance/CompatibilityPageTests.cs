using ImageCluster.Testing;

namespace ImageCluster.Conformance;

public sealed class CompatibilityPageTests
{
    [Fact]
    public void ThePageIsWhatTheCasesSay() => GeneratedPage.Check("docs/compatibility.md", CompatibilityPage.Text());

    [Fact]
    public void TheFormatsInTheReadmeAreThoseOfTheEngine() => GeneratedPage.CheckPart("README.md", "formats", FormatMatrix.Text(withDifferences: false));
}
