using ImageCluster.Imaging.Formats.Filters.Debugging;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Qcow2;

/// <summary>
/// The refcount blocks that were used last, by host offset. One that was changed is written when its place is needed or on
/// <see cref="WriteChanged"/>: that is right at any time, because counts go up before, and down after, the tables that they count.
/// A block that stands where other metadata does, which only a corrupt image has, is not written.
/// For one thread at a time.
/// </summary>
internal sealed class RefcountBlocks(IBlockFile file, Layout layout, MetadataOverlap overlap)
{
    /// <summary>Memory for blocks in bytes, unless a few blocks alone take more.</summary>
    private const int Budget = 4 << 20;

    private const int SectorSize = 512;

    private readonly int _capacity = Math.Max(4, Budget >> layout.ClusterBits);
    private readonly Dictionary<long, LinkedListNode<Block>> _byOffset = [];
    private readonly LinkedList<Block> _byUse = new();

    /// <summary>The bytes of a block, for reading.</summary>
    public ReadOnlySpan<byte> Get(long offset) => Find(offset).Bytes;

    /// <summary>The bytes of a block, of which the caller changes <paramref name="length"/> from <paramref name="start"/> on.</summary>
    public Span<byte> Change(long offset, int start, int length)
    {
        Block block = Find(offset);
        block.From = Math.Min(block.From, start);
        block.To = Math.Max(block.To, start + length);
        return block.Bytes;
    }

    /// <summary>A new block of zeros, all of which is to be written.</summary>
    public Span<byte> Add(long offset)
    {
        Forget(offset);
        Block block = Insert(offset);
        block.From = 0;
        block.To = block.Bytes.Length;
        return block.Bytes;
    }

    /// <summary>The cluster is no refcount block any more.</summary>
    public void Forget(long offset)
    {
        if (_byOffset.Remove(offset, out LinkedListNode<Block>? node))
        {
            _byUse.Remove(node);
        }
    }

    public void WriteChanged()
    {
        foreach (Block block in _byUse)
        {
            Write(block);
        }
    }

    private Block Find(long offset)
    {
        if (_byOffset.TryGetValue(offset, out LinkedListNode<Block>? node))
        {
            if (node.Previous is not null)
            {
                _byUse.Remove(node);
                _byUse.AddFirst(node);
            }

            return node.Value;
        }

        Block block = Insert(offset);
        try
        {
            file.Tell("refblock_load");
            file.ReadPadded(offset, block.Bytes);
        }
        catch
        {
            Forget(offset);
            throw;
        }

        return block;
    }

    private Block Insert(long offset)
    {
        LinkedListNode<Block> node;
        if (_byOffset.Count >= _capacity)
        {
            node = _byUse.Last!;
            Write(node.Value);
            _byUse.RemoveLast();
            _byOffset.Remove(node.Value.Offset);
            node.Value.Bytes.AsSpan().Clear();
        }
        else
        {
            node = new LinkedListNode<Block>(new Block(layout.ClusterSize));
        }

        node.Value.Offset = offset;
        _byUse.AddFirst(node);
        _byOffset.Add(offset, node);
        return node.Value;
    }

    private void Write(Block block)
    {
        if (block.To > block.From)
        {
            overlap.Require(block.Offset, layout.ClusterSize, MetadataKind.RefcountBlock);
            int from = block.From & -SectorSize;
            int to = (block.To + SectorSize - 1) & -SectorSize;
            file.Tell("refblock_update_part");
            file.Write(block.Offset + from, block.Bytes.AsSpan(from, to - from));
            block.From = int.MaxValue;
            block.To = 0;
        }
    }

    private sealed class Block(int size)
    {
        public readonly byte[] Bytes = new byte[size];
        public long Offset;
        public int From = int.MaxValue;
        public int To;
    }
}
