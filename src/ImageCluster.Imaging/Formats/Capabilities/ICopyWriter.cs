using ImageCluster.Imaging.Formats.Filling;

namespace ImageCluster.Imaging.Formats.Capabilities;

/// <summary>A writable layer whose guest bytes lie in its file as they are, so that the storage can copy them there.</summary>
public interface ICopyWriter
{
    /// <summary>Gives guest bytes their place, as <see cref="IWritableLayer.Write"/> would, and has them copied there. Safe from any number of threads.</summary>
    /// <returns>How many bytes were written, from the offset on: 0 where the next ones are to be written by <see cref="IWritableLayer.Write"/>.</returns>
    int WriteCopied(long offset, int length, RangeCopier copy);
}
