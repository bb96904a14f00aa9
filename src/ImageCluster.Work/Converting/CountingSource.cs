using System.Collections.Concurrent;
using ImageCluster.Imaging.Operations.Converting;

namespace ImageCluster.Work.Converting;

/// <summary>A source that counts what is read of it, in all and by shard.</summary>
public sealed class CountingSource(IConvertSource inner, long shardLength, Action<int> onRead) : IConvertSource
{
    private readonly ConcurrentDictionary<long, long> _byShard = new();

    public long VirtualSize => inner.VirtualSize;

    public SourceRange Map(long offset, long length) => inner.Map(offset, length);

    public void Read(long offset, Span<byte> buffer)
    {
        inner.Read(offset, buffer);
        int length = buffer.Length;
        _byShard.AddOrUpdate(offset / shardLength, length, (_, before) => before + length);
        onRead(length);
    }

    /// <summary>Bytes read of a shard, which is done: its count is forgotten.</summary>
    public long Take(long shard) => _byShard.TryRemove(shard, out long bytes) ? bytes : 0;
}
