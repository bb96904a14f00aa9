namespace ImageCluster.Imaging.Formats.Capabilities;

/// <summary>What <c>info</c> asks of an image beside its sizes and names. A layer without it is taken to be clean, in one file, not encrypted.</summary>
public interface IImageStatus
{
    /// <summary>Space that the image's files (extents and data file included) occupy on their storage, in bytes.</summary>
    long AllocatedBytes { get; }

    /// <summary>The cluster, block or grain size that info shows, in bytes; 0 where it shows none.</summary>
    long ClusterSize { get; }

    /// <summary>The image says that it was not closed cleanly.</summary>
    bool IsDirty => false;

    /// <summary>False where QEMU's driver has no such information, so that info leaves the flag out.</summary>
    bool TellsDirty => true;

    /// <summary>False where QEMU's driver does not tell what stands where, so that map shows all of the disk as data without a place.</summary>
    bool TellsPlaces => true;

    bool IsEncrypted => false;
}
