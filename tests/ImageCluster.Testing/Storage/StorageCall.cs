namespace ImageCluster.Testing.Storage;

/// <summary>The calls of <see cref="Imaging.Storage.IBlockFile"/> that can be counted and made to fail.</summary>
public enum StorageCall
{
    Read,
    Write,
    WriteZeroes,
    Discard,
    SetLength,
    Allocate,
    Flush,
    NextRange,
    Length,
}
