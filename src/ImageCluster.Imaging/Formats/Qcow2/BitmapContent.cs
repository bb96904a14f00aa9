using System.Buffers;
using System.Buffers.Binary;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Qcow2;

/// <summary>
/// The bits of one persistent bitmap: its table, and in memory those clusters of bits (pages) that were changed. Pages that were not stay
/// where they are in the file, also when the bitmap is saved. For one thread at a time.
/// </summary>
internal sealed class BitmapContent
{
    private readonly IBlockFile _file;
    private readonly Layout _layout;
    private readonly int _granularityBits;
    private readonly SortedDictionary<int, byte[]> _changed = [];
    private long _size;
    private ulong[] _table;

    private BitmapContent(IBlockFile file, Layout layout, int granularityBits, long size, ulong[] table)
    {
        _file = file;
        _layout = layout;
        _granularityBits = granularityBits;
        _size = size;
        _table = table;
    }

    /// <summary>It is not as it stands in the file.</summary>
    public bool IsChanged { get; private set; }

    /// <summary>Entries of the table that it needs.</summary>
    public int TableEntries => _table.Length;

    /// <summary>A bitmap of a disk of <paramref name="size"/> bytes with no bit set, not in the file yet.</summary>
    public static BitmapContent Empty(IBlockFile file, Layout layout, int granularityBits, long size) =>
        new(file, layout, granularityBits, size, new ulong[BitmapTable.EntriesFor(size, granularityBits, layout)]) { IsChanged = true };

    /// <summary>A consistent bitmap in the file.</summary>
    /// <exception cref="ImageException">Its table is not sound.</exception>
    public static BitmapContent Load(IBlockFile file, Header header, Layout layout, PersistentBitmap bitmap)
    {
        ulong[] table = BitmapTable.Load(file, header, layout, bitmap);
        Array.Resize(ref table, (int)bitmap.TableEntries);
        return new BitmapContent(file, layout, bitmap.GranularityBits, header.VirtualSize, table);
    }

    /// <summary>Sets the bits of a range of guest bytes, of any alignment; what lies beyond the disk is left out.</summary>
    public void Mark(long offset, long length)
    {
        long end = Math.Min(offset + length, _size);
        if (end <= offset)
        {
            return;
        }

        long first = offset >> _granularityBits;
        long last = (end - 1) >> _granularityBits;
        for (int page = PageOf(first); page <= PageOf(last); page++)
        {
            MarkInPage(page, (int)Math.Max(0, first - FirstBit(page)), (int)Math.Min(BitsIn(page), last + 1 - FirstBit(page)));
        }
    }

    /// <summary>Clears all bits.</summary>
    public void Clear()
    {
        IsChanged |= _changed.Count > 0 || Array.Exists(_table, static entry => entry != 0);
        _changed.Clear();
        Array.Clear(_table);
    }

    /// <summary>Follows a change of the disk's size: what is added has no bit set.</summary>
    public void Resize(long size)
    {
        // The page in which the smaller of the disks ends must have no bits behind that end.
        long kept = (Math.Min(_size, size) + (1L << _granularityBits) - 1) >> _granularityBits;
        int border = PageOf(kept);
        byte[]? rest = kept > FirstBit(border) && HasBits(border) ? ReadPage(border) : null;
        int entries = (int)BitmapTable.EntriesFor(size, _granularityBits, _layout);
        IsChanged |= entries != _table.Length || rest is not null;
        _size = size;
        Array.Resize(ref _table, entries);
        foreach (int page in _changed.Keys.Where(page => page >= entries).ToArray())
        {
            _changed.Remove(page);
        }

        if (rest is not null)
        {
            Array.Resize(ref rest, (BitsIn(border) + 7) >> 3);
            BitSpan.Fill(rest, (int)(kept - FirstBit(border)), rest.Length * 8, false);
            _changed[border] = rest;
        }
    }

    /// <summary>The guest ranges whose bits are set, in order, in bytes.</summary>
    public IEnumerable<(long Offset, long Length)> Ranges()
    {
        (long start, long end) = (0, 0);
        for (int page = 0; page < _table.Length; page++)
        {
            if (!HasBits(page))
            {
                continue;
            }

            byte[] bits = ReadPage(page);
            int count = BitsIn(page);
            for (int bit = BitSpan.Next(bits, 0, count, true); bit < count;)
            {
                int stop = BitSpan.Next(bits, bit, count, false);
                long from = (FirstBit(page) + bit) << _granularityBits;
                if (from != end)
                {
                    if (end > start)
                    {
                        yield return (start, end - start);
                    }

                    start = from;
                }

                // Shifted so that a last granule which ends beyond 2^63 does not overflow.
                end = FirstBit(page) + stop > (_size - 1) >> _granularityBits ? _size : (FirstBit(page) + stop) << _granularityBits;
                bit = BitSpan.Next(bits, stop, count, true);
            }
        }

        if (end > start)
        {
            yield return (start, end - start);
        }
    }

    /// <summary>
    /// Writes the changed pages and a new table into new room; nothing points to them yet. Returns the table's host offset.
    /// </summary>
    /// <param name="allocate">Takes contiguous clusters and returns their host offset.</param>
    public long Save(Func<long, long> allocate)
    {
        byte[] cluster = ArrayPool<byte>.Shared.Rent(_layout.ClusterSize);
        try
        {
            Span<byte> whole = cluster.AsSpan(0, _layout.ClusterSize);
            foreach ((int page, byte[] bits) in _changed)
            {
                _table[page] = 0;
                if (bits.AsSpan().ContainsAnyExcept((byte)0))
                {
                    bits.CopyTo(whole);
                    whole[bits.Length..].Clear();
                    _table[page] = (ulong)allocate(1);
                    _file.Write(BitmapTable.OffsetOf(_table[page]), whole);
                }
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(cluster);
        }

        long bytes = _table.Length * (long)sizeof(ulong);
        long clusters = (bytes + _layout.ClusterSize - 1) >> _layout.ClusterBits;
        long offset = allocate(clusters);
        byte[] table = new byte[clusters << _layout.ClusterBits];
        for (int i = 0; i < _table.Length; i++)
        {
            BinaryPrimitives.WriteUInt64BigEndian(table.AsSpan(i * sizeof(ulong)), _table[i]);
        }

        _file.Write(offset, table);
        _changed.Clear();
        IsChanged = false;
        return offset;
    }

    /// <summary>The clusters of the file that hold bits of it.</summary>
    public IEnumerable<long> Clusters() => _table.Select(BitmapTable.OffsetOf).Where(static offset => offset != 0);

    private bool HasBits(int page) => _table[page] != 0 || _changed.ContainsKey(page);

    private int PageOf(long bit) => (int)(bit >> (_layout.ClusterBits + 3));

    private long FirstBit(int page) => (long)page << (_layout.ClusterBits + 3);

    private int BitsIn(int page) => (int)Math.Min(_layout.ClusterSize * 8L, ((_size - 1) >> _granularityBits) + 1 - FirstBit(page));

    private void MarkInPage(int page, int from, int to)
    {
        if (_table[page] == BitmapTable.AllOnes && !_changed.ContainsKey(page))
        {
            return;
        }

        if (from == 0 && to == _layout.ClusterSize * 8)
        {
            // Costs neither memory nor room in the file. Of a page with fewer bits QEMU takes all to be set, and shows them when the disk grows.
            _changed.Remove(page);
            _table[page] = BitmapTable.AllOnes;
            IsChanged = true;
            return;
        }

        if (!_changed.TryGetValue(page, out byte[]? bits))
        {
            bits = ReadPage(page);
            if (BitSpan.Next(bits, from, to, false) == to)
            {
                return;
            }

            _changed.Add(page, bits);
            IsChanged = true;
        }

        BitSpan.Fill(bits, from, to, true);
    }

    // Only as many bytes as have bits; those behind the disk's end are clear.
    private byte[] ReadPage(int page)
    {
        if (_changed.TryGetValue(page, out byte[]? changed))
        {
            return changed;
        }

        int count = BitsIn(page);
        byte[] bits = new byte[(count + 7) >> 3];
        if (_table[page] == BitmapTable.AllOnes)
        {
            BitSpan.Fill(bits, 0, count, true);
        }
        else if (BitmapTable.OffsetOf(_table[page]) is > 0 and var offset)
        {
            _file.ReadPadded(offset, bits);
            BitSpan.Fill(bits, count, bits.Length * 8, false);
        }

        return bits;
    }
}
