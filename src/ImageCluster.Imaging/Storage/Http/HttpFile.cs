namespace ImageCluster.Imaging.Storage.Http;

/// <summary>A remote file, read by ranges through a <see cref="ReadAheadCache"/>. It has the length that it had when it was opened; another version of it is never mixed in.</summary>
internal sealed class HttpFile : IBlockFile, IVersionedFile
{
    private readonly ReadAheadCache _cache;
    private readonly IDisposable _channel;
    private readonly IRangeReader _reader;

    /// <param name="name">As it was given.</param>
    /// <param name="reader">Reads ranges.</param>
    /// <param name="settings">The cache's size.</param>
    /// <param name="channel">What the reader reads through; disposed with the file.</param>
    public HttpFile(string name, IRangeReader reader, HttpSettings settings, IDisposable channel)
    {
        Name = name;
        _reader = reader;
        _channel = channel;
        _cache = new ReadAheadCache(reader, settings);
    }

    public string Name { get; }

    public long Length => _reader.Length;

    public string Version => _reader.Version;

    public bool CanWrite => false;

    public bool CanResize => false;

    public long AllocatedBytes => Length;

    public int Read(long offset, Span<byte> buffer)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        return _cache.Read(offset, buffer);
    }

    public void Write(long offset, ReadOnlySpan<byte> data) => throw ReadOnly();

    public void WriteZeroes(long offset, long length, ZeroMode mode) => throw ReadOnly();

    public void Discard(long offset, long length) => throw ReadOnly();

    public void SetLength(long length) => throw ReadOnly();

    public void Allocate(long offset, long length) => throw ReadOnly();

    public void Flush()
    {
    }

    public (long Length, bool IsHole) NextRange(long offset, long length) => (length, false);

    public void Dispose()
    {
        _cache.Dispose();
        _channel.Dispose();
    }

    private ImageException ReadOnly() => new(ImageErrorKind.Io, Name, "The file is open for reading only") { Errno = Native.Errno.Access };
}
