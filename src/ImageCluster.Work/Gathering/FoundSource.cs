using ImageCluster.Jobs;
using ImageCluster.Work.Roots;

namespace ImageCluster.Work.Gathering;

/// <summary>A file that the manifest's sources select.</summary>
/// <param name="Name">As jobs name it.</param>
/// <param name="Path">Absolute, or a URL.</param>
/// <param name="Format">The format that the manifest states, or null.</param>
/// <param name="Problem">Why it cannot even be looked at, in one line; null where it can.</param>
public sealed record FoundSource(ImageName Name, string Path, string? Format, string? Problem = null)
{
    /// <summary>It lies on a server, not in a file.</summary>
    public bool IsRemote => RemoteRoot.IsOne(Path);

    /// <summary>The name of the secret with its password, and its chain's; empty for none.</summary>
    public string Secret { get; init; } = "";

    /// <summary>Of one on a server: the address below which everything lies that it may refer to. Its own place, where it is not known.</summary>
    public string? Root { get; init; }
}
