using System.Text;

namespace ImageCluster.Api.Operating;

/// <summary>One thing as lines of a name and a value; what has no value has no line.</summary>
internal sealed class TextFacts
{
    private readonly List<(string Name, string Value)> _facts = [];

    public TextFacts Add(string name, string? value)
    {
        if (!string.IsNullOrEmpty(value))
        {
            _facts.Add((name, TextTable.Safe(value)));
        }

        return this;
    }

    public TextFacts AddIf(bool condition, string name, string? value) => condition ? Add(name, value) : this;

    public override string ToString()
    {
        int width = _facts.Max(fact => fact.Name.Length);
        var text = new StringBuilder();
        foreach ((string name, string value) in _facts)
        {
            text.Append(text.Length > 0 ? "\n" : "").Append(name.PadRight(width)).Append("  ").Append(value);
        }

        return text.ToString();
    }
}
