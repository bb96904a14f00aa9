namespace ImageCluster.Imaging.Formats.BlockTables;

/// <summary>
/// The inflated blocks that were used last, for formats whose compressed blocks are larger than what is read at once. A block that several
/// threads ask for is inflated once.
/// </summary>
/// <param name="maxBytes">What is kept has at most so many bytes, except that one block is always kept.</param>
internal sealed class InflatedBlocks(long maxBytes = 64L << 20)
{
    // A hostile image has tiny blocks, so that very many are kept: they are found by number, not by search.
    private readonly Dictionary<long, LinkedListNode<Block>> _byNumber = [];
    private readonly LinkedList<Block> _byUse = [];
    private readonly Lock _lock = new();
    private long _bytes;

    /// <summary>The bytes of a block; <paramref name="inflate"/> makes them where they are not at hand.</summary>
    public byte[] Get(long number, int length, Func<byte[]> inflate)
    {
        Lazy<byte[]> bytes = Find(number, length, inflate);
        try
        {
            return bytes.Value;
        }
        catch
        {
            // The next who asks shall try again.
            Drop(number, bytes);
            throw;
        }
    }

    private Lazy<byte[]> Find(long number, int length, Func<byte[]> inflate)
    {
        lock (_lock)
        {
            if (_byNumber.TryGetValue(number, out LinkedListNode<Block>? node))
            {
                _byUse.Remove(node);
                _byUse.AddFirst(node);
                return node.Value.Bytes;
            }

            node = _byUse.AddFirst(new Block(number, length, new Lazy<byte[]>(inflate)));
            _byNumber.Add(number, node);
            _bytes += length;
            while (_bytes > maxBytes && _byUse.Count > 1)
            {
                Remove(_byUse.Last!);
            }

            return node.Value.Bytes;
        }
    }

    private void Drop(long number, Lazy<byte[]> bytes)
    {
        lock (_lock)
        {
            if (_byNumber.TryGetValue(number, out LinkedListNode<Block>? node) && ReferenceEquals(node.Value.Bytes, bytes))
            {
                Remove(node);
            }
        }
    }

    private void Remove(LinkedListNode<Block> node)
    {
        _bytes -= node.Value.Length;
        _byNumber.Remove(node.Value.Number);
        _byUse.Remove(node);
    }

    private readonly record struct Block(long Number, int Length, Lazy<byte[]> Bytes);
}
