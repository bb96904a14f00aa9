using ImageCluster.Api.Operating;
using ImageCluster.Testing;

namespace ImageCluster.Api.Tests.Operating;

public sealed class OperatorPageTests
{
    [Fact]
    public void The_page_is_what_the_table_says()
    {
        using StringWriter text = new() { NewLine = "\n" };
        OperatorPage.Write(text);
        GeneratedPage.Check("docs/operator.md", text.ToString());
    }
}
