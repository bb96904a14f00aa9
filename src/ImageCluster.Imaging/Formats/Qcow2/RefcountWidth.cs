using System.Buffers.Binary;
using ImageCluster.Imaging.Storage.Native;

namespace ImageCluster.Imaging.Formats.Qcow2;

/// <summary>
/// Gives an image refcounts of another width: new blocks and a new table are written beside the old ones, counted in both, and the header
/// switches from one to the other in one sector. What a crash leaves at worst is room that nobody uses. Nobody else uses the image meanwhile,
/// and all its refcounts are in the file.
/// </summary>
internal sealed class RefcountWidth
{
    private const int EntryLength = sizeof(ulong);

    private readonly Metadata _metadata;
    private readonly Layout _layout;
    private readonly Refcounts _refcounts;
    private readonly int _order;
    private readonly int _blockBits;
    private readonly Action<long, long>? _progress;

    // Places of the new blocks by their index in the new table.
    private readonly SortedDictionary<long, long> _blocks = [];
    private long _tableOffset;
    private long _tableClusters;

    private RefcountWidth(Metadata metadata, int order, Action<long, long>? progress)
    {
        _metadata = metadata;
        _layout = metadata.Layout;
        _refcounts = new Refcounts(metadata);
        _order = order;
        _blockBits = _layout.ClusterBits + 3 - order;
        _progress = progress;
    }

    /// <summary>Does it.</summary>
    /// <param name="metadata">The image's state; its header and layout have the new width afterwards.</param>
    /// <param name="order">Base-2 logarithm of the new width in bits, 0 to 6.</param>
    /// <param name="progress">Told refcount blocks done, and all of them.</param>
    /// <exception cref="ImageException">A refcount does not fit into the new width; nothing was changed.</exception>
    public static void Change(Metadata metadata, int order, Action<long, long>? progress) => new RefcountWidth(metadata, order, progress).Run();

    private void Run()
    {
        CheckBlocks();
        CheckThatAllFit();
        TakeRoom();
        WriteBlocks();
        WriteTable();
        _refcounts.Write();
        _metadata.File.Flush();
        Header old = _metadata.Header;
        SwitchHeader();
        FreeOld(old);
    }

    // Each block is a cluster of the file: what is read is no more than there is, whatever the table claims.
    private void CheckBlocks()
    {
        HashSet<ulong> seen = [];
        foreach (ulong entry in _refcounts.Table)
        {
            if (entry != 0 && !seen.Add(entry))
            {
                throw new ImageException(ImageErrorKind.Corrupt, _metadata.File.Name, $"Refcount block at offset 0x{entry:x} is named twice")
                {
                    Hint = "Use qemu-img check to find out more, and qemu-img check -r all to repair the image",
                };
            }
        }
    }

    private void CheckThatAllFit()
    {
        ulong max = ulong.MaxValue >> (64 - (1 << _order));
        if (max >= _layout.RefcountMax)
        {
            return;
        }

        ForEachUsed((cluster, count) =>
        {
            if (count > max)
            {
                throw new ImageException(ImageErrorKind.Unsupported, _metadata.File.Name,
                    $"Cannot decrease refcount entry width to {1 << _order} bits: Cluster at offset 0x{cluster << _layout.ClusterBits:x} has a refcount of {count}");
            }
        });
    }

    // Room takes refcounts, which may take blocks: until all that is in use is described, the new blocks and table too.
    private void TakeRoom()
    {
        for (bool grown = true; grown;)
        {
            grown = false;
            List<long> missing = [];
            ForEachUsed((cluster, _) =>
            {
                long index = cluster >> _blockBits;
                if (!_blocks.ContainsKey(index) && (missing.Count == 0 || missing[^1] != index))
                {
                    missing.Add(index);
                }
            });
            foreach (long index in missing)
            {
                _blocks[index] = Allocate(1);
                grown = true;
            }

            if (_blocks.Count == 0)
            {
                throw new ImageException(ImageErrorKind.Corrupt, _metadata.File.Name, "Not even the image's header is counted as used")
                {
                    Hint = "Use qemu-img check -r all to repair the image",
                };
            }

            long clusters = RefcountMath.DivideUp((_blocks.Keys.Last() + 1) * EntryLength, _layout.ClusterSize);
            if (clusters > _tableClusters)
            {
                TakeTable(clusters);
                grown = true;
            }
        }
    }

    private void TakeTable(long clusters)
    {
        if (clusters << _layout.ClusterBits > Header.MaxRefcountTableBytes)
        {
            throw new ImageException(ImageErrorKind.NoSpace, _metadata.File.Name, "File too large") { Errno = Errno.FBig };
        }

        for (long i = 0; i < _tableClusters; i++)
        {
            _refcounts.Decrease((_tableOffset >> _layout.ClusterBits) + i);
        }

        _tableOffset = Allocate(clusters);
        _tableClusters = clusters;
    }

    private long Allocate(long clusters)
    {
        try
        {
            return _refcounts.AllocateForMetadata(clusters);
        }
        catch (ImageException e) when (e.Corruption != CorruptionSignal.None)
        {
            throw e.In("Overlap check failed");
        }
    }

    // All counts are what they will be: the new structures count themselves, and still the old ones.
    private void WriteBlocks()
    {
        byte[] block = new byte[_layout.ClusterSize];
        long done = 0;
        foreach ((long index, long offset) in _blocks)
        {
            block.AsSpan().Clear();
            long start = index << _blockBits;
            ForEachUsed(start, start + (1L << _blockBits), (cluster, count) => RefcountArray.Set(block, _order, (int)(cluster - start), count));
            _metadata.File.Write(offset, block);
            _progress?.Invoke(++done, _blocks.Count);
        }
    }

    private void WriteTable()
    {
        byte[] table = new byte[_tableClusters << _layout.ClusterBits];
        foreach ((long index, long offset) in _blocks)
        {
            BinaryPrimitives.WriteInt64BigEndian(table.AsSpan((int)index * EntryLength), offset);
        }

        _metadata.File.Write(_tableOffset, table);
    }

    private void SwitchHeader()
    {
        Header header = _metadata.Header with { RefcountTableOffset = _tableOffset, RefcountTableClusters = (int)_tableClusters, RefcountOrder = _order };
        HeaderPatch.WriteRefcounts(_metadata.File, header);
        _metadata.File.Flush();
        _metadata.Header = header;
        _layout.RefcountOrder = _order;
    }

    private void FreeOld(Header old)
    {
        Refcounts refcounts = new(_metadata);
        for (int i = 0; i < old.RefcountTableClusters; i++)
        {
            refcounts.Decrease((old.RefcountTableOffset >> _layout.ClusterBits) + i);
        }

        foreach (ulong entry in _refcounts.Table)
        {
            if (entry != 0)
            {
                refcounts.Decrease((long)(entry >> _layout.ClusterBits));
            }
        }

        refcounts.Write();
        _metadata.File.Flush();
    }

    private void ForEachUsed(Action<long, ulong> action) => ForEachUsed(0, long.MaxValue, action);

    // Reads the old structures, which have the old width.
    private void ForEachUsed(long from, long to, Action<long, ulong> action)
    {
        int order = _metadata.Header.RefcountOrder;
        int bits = _layout.ClusterBits + 3 - order;
        for (long index = from >> bits; index < _refcounts.Table.Length && index << bits < to; index++)
        {
            ReadOnlySpan<byte> block = _refcounts.Block(index);
            long start = index << bits;
            int end = block.IsEmpty ? 0 : (int)Math.Min(1L << bits, to - start);
            for (int i = (int)Math.Max(0, from - start); i < end; i++)
            {
                i = RefcountArray.IndexOfNonzero(block, order, i, end);
                if (i < end)
                {
                    action(start + i, RefcountArray.Get(block, order, i));
                }
            }
        }
    }
}
