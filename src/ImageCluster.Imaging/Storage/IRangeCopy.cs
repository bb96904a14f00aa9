namespace ImageCluster.Imaging.Storage;

/// <summary>Storage that can copy a range from another file without the bytes passing through this process (copy_file_range, reflinks).</summary>
public interface IRangeCopy
{
    /// <summary>
    /// Copies <paramref name="length"/> bytes. False where it cannot (other file system, other kind of file, the source ends before):
    /// then a part may have been copied, and the caller is to copy all of it by reading and writing.
    /// </summary>
    bool TryCopyFrom(IBlockFile source, long sourceOffset, long offset, long length);
}
