using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Filters.Debugging;

/// <summary>How formats tell a blkdebug node, where one is their file, what they are about to do.</summary>
internal static class DebugEvents
{
    /// <summary>Tells of an event; nothing where the file is no blkdebug node.</summary>
    /// <param name="file">The image's own file.</param>
    /// <param name="name">An event of QAPI's BlkdebugEvent, e.g. <c>l2_load</c>.</param>
    public static void Tell(this IBlockFile file, string name) => (file as IDebugEvents)?.Raise(name);
}
