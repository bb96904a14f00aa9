namespace ImageCluster.Imaging.Formats.BlockTables;

/// <summary>
/// The inflated blocks that were used last, for formats whose compressed blocks are larger than what is read at once. A block that several
/// threads ask for is inflated once.
/// </summary>
/// <param name="maxBytes">What is kept has at most so many bytes, except that one block is always kept.</param>
internal sealed class InflatedBlocks(long maxBytes = 64L << 20)
{
    private readonly LinkedList<(long Number, int Length, Lazy<byte[]> Bytes)> _byUse = [];
    private readonly Lock _lock = new();
    private long _bytes;

    /// <summary>The bytes of a block; <paramref name="inflate"/> makes them where they are not at hand.</summary>
    public byte[] Get(long number, int length, Func<byte[]> inflate)
    {
        Lazy<byte[]> block = Find(number, length, inflate);
        try
        {
            return block.Value;
        }
        catch
        {
            // The next who asks shall try again.
            Drop(block);
            throw;
        }
    }

    private Lazy<byte[]> Find(long number, int length, Func<byte[]> inflate)
    {
        lock (_lock)
        {
            for (LinkedListNode<(long Number, int Length, Lazy<byte[]> Bytes)>? node = _byUse.First; node is not null; node = node.Next)
            {
                if (node.Value.Number == number)
                {
                    _byUse.Remove(node);
                    _byUse.AddFirst(node);
                    return node.Value.Bytes;
                }
            }

            Lazy<byte[]> block = new(inflate);
            _byUse.AddFirst((number, length, block));
            _bytes += length;
            while (_bytes > maxBytes && _byUse.Count > 1)
            {
                _bytes -= _byUse.Last!.Value.Length;
                _byUse.RemoveLast();
            }

            return block;
        }
    }

    private void Drop(Lazy<byte[]> block)
    {
        lock (_lock)
        {
            for (LinkedListNode<(long Number, int Length, Lazy<byte[]> Bytes)>? node = _byUse.First; node is not null; node = node.Next)
            {
                if (ReferenceEquals(node.Value.Bytes, block))
                {
                    _bytes -= node.Value.Length;
                    _byUse.Remove(node);
                    return;
                }
            }
        }
    }
}
