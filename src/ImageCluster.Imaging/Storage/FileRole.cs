namespace ImageCluster.Imaging.Storage;

/// <summary>What a file is to the image that it belongs to: it decides which of QEMU's locks a use of the image takes (<see cref="ImageUse"/>).</summary>
public enum FileRole
{
    /// <summary>It holds an image's tables: nobody else may write it or change its length.</summary>
    Image,

    /// <summary>It is the image as it stands (raw, LUKS): whoever uses the image uses the file in the same way.</summary>
    Raw,

    /// <summary>A raw image that another is committed into: it keeps its length meanwhile.</summary>
    Base,

    /// <summary>It holds nothing but payload (an external data file, a flat extent, a part of a raw file): nobody else may change its length.</summary>
    Data,
}
