namespace ImageCluster.Imaging.Storage;

/// <summary>A new file of known length that can take its bytes in whole parts, each once and in any order, without keeping them here (an upload to an object store).</summary>
public interface IPartFile
{
    /// <summary>Bytes of each part but the last, a multiple of 1 MiB; 0 where the file does not take parts after all.</summary>
    int PartLength { get; }

    /// <summary>Takes part <paramref name="part"/>, counted from 0; parts never given are zeros. Any number of threads may call at once.</summary>
    void WritePart(long part, ReadOnlyMemory<byte> bytes);
}
