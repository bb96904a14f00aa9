namespace ImageCluster.Testing.Storage;

/// <summary>
/// The bytes of a file in memory, in blocks of 4 KiB of which only those exist that were written (or allocated): an empty file of 1 TiB
/// costs nothing, and holes are where no block is. Safe from any number of threads.
/// </summary>
public sealed class MemoryStore
{
    public const int BlockSize = 4096;

    private readonly Lock _lock = new();
    private readonly Dictionary<long, byte[]> _blocks = [];
    private readonly SortedSet<long> _present = [];
    private long _length;

    public MemoryStore(ReadOnlySpan<byte> content = default)
    {
        _length = content.Length;
        if (content.Length > 0)
        {
            Write(0, content);
        }
    }

    private MemoryStore(MemoryStore other)
    {
        lock (other._lock)
        {
            _length = other._length;
            foreach ((long index, byte[] block) in other._blocks)
            {
                _blocks.Add(index, (byte[])block.Clone());
                _present.Add(index);
            }
        }
    }

    public long Length
    {
        get
        {
            lock (_lock)
            {
                return _length;
            }
        }
    }

    public long AllocatedBytes
    {
        get
        {
            lock (_lock)
            {
                return (long)_present.Count * BlockSize;
            }
        }
    }

    public MemoryStore Clone() => new(this);

    /// <summary>Every byte, for small files.</summary>
    public byte[] ToArray()
    {
        byte[] content = new byte[Length];
        Read(0, content);
        return content;
    }

    public int Read(long offset, Span<byte> buffer)
    {
        lock (_lock)
        {
            int total = (int)Math.Clamp(_length - offset, 0, buffer.Length);
            for (int done = 0; done < total;)
            {
                (long index, int start, int part) = Locate(offset + done, total - done);
                Span<byte> into = buffer.Slice(done, part);
                if (_blocks.TryGetValue(index, out byte[]? block))
                {
                    block.AsSpan(start, part).CopyTo(into);
                }
                else
                {
                    into.Clear();
                }

                done += part;
            }

            return total;
        }
    }

    public void Write(long offset, ReadOnlySpan<byte> data)
    {
        lock (_lock)
        {
            for (int done = 0; done < data.Length;)
            {
                (long index, int start, int part) = Locate(offset + done, data.Length - done);
                data.Slice(done, part).CopyTo(BlockOf(index).AsSpan(start));
                done += part;
            }

            _length = Math.Max(_length, checked(offset + data.Length));
        }
    }

    /// <summary>Zeros a range; blocks that lie wholly in it are given back unless <paramref name="keep"/>.</summary>
    public void Zero(long offset, long length, bool keep)
    {
        lock (_lock)
        {
            long end = checked(offset + length);
            foreach (long index in Present(offset, end))
            {
                long start = index * BlockSize;
                if (!keep && start >= offset && (start + BlockSize <= end || end >= _length))
                {
                    Remove(index);
                }
                else
                {
                    int from = (int)Math.Max(0, offset - start);
                    int to = (int)Math.Min(BlockSize, end - start);
                    _blocks[index].AsSpan(from, to - from).Clear();
                }
            }

            _length = Math.Max(_length, end);
            if (keep)
            {
                AllocateBlocks(offset, end);
            }
        }
    }

    /// <summary>Gives back the blocks that lie wholly in a range; what remains of it keeps its bytes.</summary>
    public void Discard(long offset, long length)
    {
        lock (_lock)
        {
            long end = Math.Min(checked(offset + length), _length);
            foreach (long index in Present(offset, end))
            {
                if (index * BlockSize >= offset && (index + 1) * BlockSize <= end)
                {
                    Remove(index);
                }
            }
        }
    }

    public void Allocate(long offset, long length)
    {
        lock (_lock)
        {
            long end = checked(offset + length);
            AllocateBlocks(offset, end);
            _length = Math.Max(_length, end);
        }
    }

    public void SetLength(long length)
    {
        lock (_lock)
        {
            if (length < _length)
            {
                foreach (long index in Present(length, _length))
                {
                    long start = index * BlockSize;
                    if (start >= length)
                    {
                        Remove(index);
                    }
                    else
                    {
                        _blocks[index].AsSpan((int)(length - start)).Clear();
                    }
                }
            }

            _length = length;
        }
    }

    public (long Length, bool IsHole) NextRange(long offset, long length)
    {
        lock (_lock)
        {
            long index = offset / BlockSize;
            bool hole = !_present.Contains(index);
            long next = index + 1;
            if (hole)
            {
                // Min of an empty view is 0, which no later block has.
                long later = _present.GetViewBetween(next, long.MaxValue).Min;
                next = later == 0 ? long.MaxValue / BlockSize : later;
            }
            else
            {
                while (next * BlockSize < offset + length && _present.Contains(next))
                {
                    next++;
                }
            }

            return (Math.Min(length, next * BlockSize - offset), hole);
        }
    }

    private static (long Index, int Start, int Part) Locate(long offset, int length)
    {
        int start = (int)(offset % BlockSize);
        return (offset / BlockSize, start, Math.Min(length, BlockSize - start));
    }

    private long[] Present(long offset, long end) =>
        end <= offset ? [] : [.. _present.GetViewBetween(offset / BlockSize, (end - 1) / BlockSize)];

    private void AllocateBlocks(long offset, long end)
    {
        for (long index = offset / BlockSize; index * BlockSize < end; index++)
        {
            BlockOf(index);
        }
    }

    private byte[] BlockOf(long index)
    {
        if (!_blocks.TryGetValue(index, out byte[]? block))
        {
            block = new byte[BlockSize];
            _blocks.Add(index, block);
            _present.Add(index);
        }

        return block;
    }

    private void Remove(long index)
    {
        _blocks.Remove(index);
        _present.Remove(index);
    }
}
