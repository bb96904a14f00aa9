using ImageCluster.Node.Configuration;

namespace ImageCluster.Node.Tests.Configuration;

public sealed class NodeSettingsTests
{
    [Fact]
    public void Every_setting_stands_in_the_table_once_and_its_default_is_good()
    {
        Setting[] declared = [.. typeof(NodeSettings).GetProperties().Select(property => property.GetValue(null)).OfType<Setting>()];
        Assert.Equal(declared.Order(Comparer<Setting>.Create((a, b) => string.CompareOrdinal(a.Key, b.Key))),
            NodeSettings.All.Order(Comparer<Setting>.Create((a, b) => string.CompareOrdinal(a.Key, b.Key))));
        Assert.Equal(declared.Length, declared.Select(setting => setting.Key).Distinct().Count());
        Assert.Equal(declared.Length, declared.Select(setting => setting.Variable).Distinct().Count());
        Assert.All(declared, setting => Assert.True(setting.Default.Length == 0 || setting.ProblemOf(setting.Default) is null, setting.Key));
        Assert.All(declared, setting => Assert.EndsWith(".", setting.Description.TrimEnd('`'), StringComparison.Ordinal));
    }

    [Fact]
    public void The_page_has_the_table_as_it_is()
    {
        using StringWriter table = new();
        NodeHelp.WriteTable(table);
        GeneratedSection.Check("docs/node.md", "settings", table.ToString());
    }
}
