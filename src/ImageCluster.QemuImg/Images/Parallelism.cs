using ImageCluster.Imaging.Chains;
using ImageCluster.QemuImg.CommandLine;

namespace ImageCluster.QemuImg.Images;

/// <summary>How many threads a command uses: one for each core, or more where threads wait for a server and not for a core.</summary>
internal static class Parallelism
{
    private const int Most = 16;
    private const int ForServers = 8;

    /// <param name="host">Knows which names are protocols'.</param>
    /// <param name="disks">Everything that is read or written.</param>
    /// <param name="names">Further images by name.</param>
    /// <param name="asked">What the user asked for (<c>-m</c>).</param>
    public static int Threads(CommandHost host, IEnumerable<LayeredDisk> disks, IEnumerable<string> names, int? asked = null)
    {
        bool isRemote = names.Concat(disks.SelectMany(static disk => disk.Layers).Select(static layer => layer.FileName))
            .Any(name => host.Locator.ProtocolOf(name) is not null);
        int cores = Math.Clamp(Environment.ProcessorCount, 1, Most);
        return isRemote ? Math.Min(asked ?? Math.Max(cores, ForServers), Most) : Math.Min(asked ?? cores, cores);
    }
}
