namespace ImageCluster.Imaging.Formats.Filling;

/// <summary>Room in a target file. What is handed out is never handed out again.</summary>
public interface IRoom
{
    /// <summary>Reserves <paramref name="length"/> bytes at a multiple of <paramref name="alignment"/> (both in bytes) and returns the host offset.</summary>
    long Reserve(long length, long alignment);

    /// <summary>No reservation reaches past this host offset (bytes).</summary>
    long HighWater { get; }

    /// <summary>Nothing below <paramref name="offset"/> (bytes) will be handed out from now on: room of lost attempts is not reused.</summary>
    void SkipTo(long offset);
}
