using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Formats;

namespace ImageCluster.Work.Gathering;

/// <summary>A source held open: its disk, and the watch over its files.</summary>
public sealed record OpenedSource(LayeredDisk Disk, SourceWatch Watch) : IDisposable
{
    public IImageLayer Top => Disk.Top;

    /// <summary>It is read from a server: threads wait for that, not for a core.</summary>
    public bool IsRemote { get; init; }

    public void Dispose() => Disk.Dispose();
}
