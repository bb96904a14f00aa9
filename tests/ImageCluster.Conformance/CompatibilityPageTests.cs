using ImageCluster.Testing;

namespace ImageCluster.Conformance;

public sealed class CompatibilityPageTests
{
    [Fact]
    public void ThePageIsWhatTheCasesSay() => GeneratedPage.Check("docs/compatibility.md", CompatibilityPage.Text());
}
