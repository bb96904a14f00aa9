namespace ImageCluster.Imaging.Storage.Http;

/// <summary>Reads a range of a remote file by one request (or several, where one fails and is sent again). Any number of threads may call at once.</summary>
internal interface IRangeReader
{
    /// <summary>Bytes.</summary>
    long Length { get; }

    /// <inheritdoc cref="IVersionedFile.Version"/>
    string Version { get; }

    /// <summary>Fills <paramref name="buffer"/>; the range lies in the file.</summary>
    void Read(long offset, Span<byte> buffer, CancellationToken cancel);
}
