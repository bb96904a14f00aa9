using ImageCluster.Imaging.Storage.Native;
using ImageCluster.Imaging.Storage.Nbd;
using ImageCluster.Imaging.Storage.Null;

namespace ImageCluster.Imaging.Storage;

/// <summary>A length that is asked of what has its own.</summary>
internal static class FixedLength
{
    /// <summary>Refuses, in QEMU's words, another length than that which it has.</summary>
    /// <param name="file">A file is taken with any length.</param>
    /// <param name="length">Bytes.</param>
    public static void Require(IBlockFile file, long length)
    {
        if (!file.CanResize && length != file.Length)
        {
            throw new ImageException(ImageErrorKind.Unsupported, file.Name, file switch
            {
                NbdFile => "Cannot resize NBD nodes",
                NullFile => "Image format driver does not support resize",
                _ => "Cannot resize device files",
            })
            {
                Errno = length > file.Length ? Errno.Inval : Errno.OpNotSupp,
            };
        }
    }
}
