namespace ImageCluster.Node.Configuration;

/// <summary>The node cannot start with what it is configured to.</summary>
/// <param name="problems">A line each: where, what is wrong, what to do. One or more.</param>
public sealed class NodeConfigurationException(IReadOnlyList<string> problems) : Exception(string.Join(Environment.NewLine, problems))
{
    public IReadOnlyList<string> Problems { get; } = problems;
}
