using System.Buffers.Binary;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Vmdk;

/// <summary>
/// Hands out room at the end of a sparse extent's file and keeps its grain tables. Changed entries are seen at once by readers and
/// written, with their redundant copies, by <see cref="WriteBack"/>, after the payload that they point to is on stable storage: a crash
/// leaves grains that nobody knows of, never entries that point to nothing.
/// </summary>
internal sealed class Allocator
{
    private const int MaxDirtyTables = 128;
    private const int MaxFreed = 4096;

    private readonly IBlockFile _file;
    private readonly GrainDirectory _directory;
    private readonly SparseDirectory? _redundant;
    private readonly long _grainBytes;
    private readonly Lock _gate = new();
    private readonly Lock _writing = new();
    private Dictionary<long, GrainTable> _dirty = [];
    private List<(long Offset, long Length)> _freed = [];
    private long _next;

    public Allocator(SparseExtent extent)
    {
        SparseHeader header = extent.Header!;
        _file = extent.File!;
        _directory = extent.Directory;
        _grainBytes = extent.GrainBytes;
        MetadataEnd = (long)header.GrainOffset * VmdkLimits.SectorSize;
        _next = Math.Max(_file.Length, MetadataEnd);
        if (header.Flags.HasFlag(SparseFlags.RedundantDirectory) && header.RedundantDirectoryOffset > 0 && header.TableCount > 0)
        {
            if (header.RedundantDirectoryOffset > (ulong)VmdkLimits.DivideUp(_file.Length, VmdkLimits.SectorSize))
            {
                throw new ImageException(ImageErrorKind.Corrupt, _file.Name, $"Could not read l1 backup table from extent '{_file.Name}'");
            }

            _redundant = new SparseDirectory(_file, (long)header.RedundantDirectoryOffset * VmdkLimits.SectorSize, header.TableCount, (int)header.EntriesPerTable, zeroedGrains: false);
        }
    }

    /// <summary>No grain starts before this (bytes): header, descriptor and tables stand there.</summary>
    public long MetadataEnd { get; }

    /// <summary>Room at the end of the file.</summary>
    /// <param name="length">Bytes.</param>
    /// <param name="alignment">Bytes.</param>
    public long Reserve(long length, long alignment)
    {
        lock (_gate)
        {
            long offset = VmdkLimits.RoundUp(_next, alignment);
            if (offset + length > VmdkLimits.MaxFileBytes)
            {
                throw SequentialRoom.TooLarge(_file.Name);
            }

            _next = offset + length;
            return offset;
        }
    }

    /// <summary>Maps grains of one table to room in the file, where they stand one after the other.</summary>
    public void Map(long grain, int count, long host) => Change(grain, count, (table, entry, i) => table[entry] = host + (i * _grainBytes));

    /// <summary>
    /// Makes grains of one table absent or zero; what they occupied is given back to the storage once the tables are written.
    /// </summary>
    /// <param name="grain">The first.</param>
    /// <param name="count">How many.</param>
    /// <param name="value"><see cref="GrainTable.Absent"/> or <see cref="GrainTable.Zero"/>.</param>
    public void Unmap(long grain, int count, long value) => Change(grain, count, (table, entry, _) =>
    {
        if (table[entry] >= MetadataEnd)
        {
            _freed.Add((table[entry], _grainBytes));
        }

        table[entry] = value;
    });

    /// <summary>Writes what was changed, payload first; durable on return.</summary>
    public void WriteBack()
    {
        lock (_writing)
        {
            List<(GrainTable Table, byte[] Bytes)> changed = [];
            List<(long Offset, long Length)> freed;
            lock (_gate)
            {
                foreach (GrainTable table in _dirty.Values)
                {
                    changed.Add((table, Encode(table)));
                }

                _dirty = [];
                freed = _freed;
                _freed = [];
            }

            try
            {
                _file.Flush();
                if (changed.Count > 0)
                {
                    Write(changed);
                    _file.Flush();
                }
            }
            catch
            {
                Restore(changed, freed);
                throw;
            }

            Release(changed);
            foreach ((long offset, long length) in freed)
            {
                // The last grain may reach past the end of a file that others wrote.
                long inFile = Math.Min(length, _file.Length - offset);
                if (inFile > 0)
                {
                    _file.Discard(offset, inFile);
                }
            }
        }
    }

    private void Change(long grain, int count, Action<GrainTable, int, int> change)
    {
        long index = grain / _directory.EntriesPerTable;
        int first = (int)(grain % _directory.EntriesPerTable);
        bool full;
        lock (_gate)
        {
            if (!_dirty.TryGetValue(index, out GrainTable? table))
            {
                EnsureTable(index);
                table = _directory.Pin(index);
                _dirty.Add(index, table);
            }

            for (int i = 0; i < count; i++)
            {
                change(table, first + i, i);
            }

            full = _dirty.Count > MaxDirtyTables || _freed.Count > MaxFreed;
        }

        if (full)
        {
            WriteBack();
        }
    }

    // Adds a table to the file where the directory has none. It is there, empty, before the directory names it.
    private void EnsureTable(long index)
    {
        if (_directory.TableOffset(index) != 0)
        {
            return;
        }

        long bytes = VmdkLimits.RoundUp(_directory.EntriesPerTable * (long)sizeof(uint), VmdkLimits.SectorSize);
        (GrainDirectory Directory, long Offset)[] added = [.. Directories().Where(one => one.TableOffset(index) == 0).Select(one => (one, Reserve(bytes, VmdkLimits.SectorSize)))];
        foreach ((_, long offset) in added)
        {
            _file.WriteZeroes(offset, bytes, ZeroMode.KeepAllocated);
        }

        _file.Flush();
        Span<byte> entry = stackalloc byte[sizeof(uint)];
        foreach ((GrainDirectory directory, long offset) in added)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(entry, (uint)(offset / VmdkLimits.SectorSize));
            _file.Write(directory.EntryPosition(index), entry);
            directory.TableAdded(index, offset);
        }
    }

    private IEnumerable<GrainDirectory> Directories() => _redundant is null ? [_directory] : [_redundant, _directory];

    private void Write(List<(GrainTable Table, byte[] Bytes)> changed)
    {
        foreach ((GrainTable table, byte[] bytes) in changed)
        {
            foreach (GrainDirectory directory in Directories())
            {
                long offset = directory.TableOffset(table.Key);
                if (offset > _file.Length - bytes.Length)
                {
                    throw new ImageException(ImageErrorKind.Corrupt, _file.Name, $"Grain table at offset {offset:#,0} reaches past the end of the file");
                }

                if (offset != 0)
                {
                    _file.Write(offset, bytes);
                }
            }
        }
    }

    // A table that was changed again in the meantime stays pinned.
    private void Release(List<(GrainTable Table, byte[] Bytes)> changed)
    {
        lock (_gate)
        {
            foreach ((GrainTable table, _) in changed)
            {
                if (!_dirty.ContainsKey(table.Key))
                {
                    _directory.Unpin(table);
                }
            }
        }
    }

    private void Restore(List<(GrainTable Table, byte[] Bytes)> changed, List<(long Offset, long Length)> freed)
    {
        lock (_gate)
        {
            foreach ((GrainTable table, _) in changed)
            {
                _dirty.TryAdd(table.Key, table);
            }

            _freed.AddRange(freed);
        }
    }

    private static byte[] Encode(GrainTable table)
    {
        byte[] bytes = new byte[table.Count * sizeof(uint)];
        for (int i = 0; i < table.Count; i++)
        {
            long entry = table[i];
            uint sector = GrainTable.IsOffset(entry) ? (uint)(entry / VmdkLimits.SectorSize) : (uint)entry;
            BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(i * sizeof(uint)), sector);
        }

        return bytes;
    }
}
