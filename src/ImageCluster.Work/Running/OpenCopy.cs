using ImageCluster.Imaging.Formats.Filling;
using ImageCluster.Work.Converting;
using ImageCluster.Work.Gathering;
using ImageCluster.Work.Leases;

namespace ImageCluster.Work.Running;

/// <summary>Source and target of a convert while shards are copied.</summary>
internal sealed class OpenCopy(OpenedSource source, FencedLocator locator, ConvertTarget target, IFillTarget fill) : IOpenFiles
{
    public OpenedSource Source => source;

    public ConvertTarget Target => target;

    public IFillTarget Fill => fill;

    public void Flush() => fill.Flush();

    public void Dispose()
    {
        using (source)
        using (locator)
        {
            fill.Dispose();
        }
    }
}
