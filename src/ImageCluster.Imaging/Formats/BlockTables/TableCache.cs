using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.BlockTables;

/// <summary>
/// An image's tables (block maps, second-level tables) in memory, piece by piece and write-back: memory is bounded whatever size a
/// header claims. Entries are read without a lock; a piece that is not there is read under one. Changes stay here until
/// <see cref="WriteBack"/>, so that data can be made durable before what points to it.
/// </summary>
internal sealed class TableCache(IBlockFile file, int capacity = TableCache.DefaultCapacity)
{
    /// <summary>Bytes of a table that are read and kept together; an even number of entries of any size.</summary>
    public const int PieceLength = 64 << 10;

    private const int DefaultCapacity = 128;

    private readonly ConcurrentDictionary<long, Piece> _pieces = new();
    private readonly Queue<Piece> _byAge = new();
    private readonly List<Piece> _dirty = [];
    private readonly Lock _lock = new();

    /// <summary>True where so much has changed that the owner should make data durable and write back.</summary>
    public bool IsFull => _dirty.Count >= capacity / 2;

    public bool IsDirty => _dirty.Count > 0;

    /// <summary>Before a whole table is gone through: fails where the file ends before the table does.</summary>
    public void RequireWhole(in EntryTable table)
    {
        long length = file.Length;
        if (table.Length > length || table.Offset > length - table.Length)
        {
            throw new ImageException(ImageErrorKind.Truncated, file.Name,
                $"Image is truncated: {table.Name} at offset {table.Offset:#,0} needs {table.Length:#,0} bytes, the file ends at {length:#,0}");
        }
    }

    /// <summary>Reads an entry of 4 or 8 bytes.</summary>
    public ulong Read(in EntryTable table, long index)
    {
        long position = index * table.EntrySize;
        Piece piece = PieceAt(table, position);
        ref byte entry = ref piece.Bytes[position % PieceLength];
        if (table.EntrySize == sizeof(uint))
        {
            uint small = Volatile.Read(ref Unsafe.As<byte, uint>(ref entry));
            return table.BigEndian ? BinaryPrimitives.ReverseEndianness(small) : small;
        }

        ulong large = Volatile.Read(ref Unsafe.As<byte, ulong>(ref entry));
        return table.BigEndian ? BinaryPrimitives.ReverseEndianness(large) : large;
    }

    /// <summary>Changes an entry of 4 or 8 bytes; the file sees it at <see cref="WriteBack"/>.</summary>
    public void Write(in EntryTable table, long index, ulong value)
    {
        long position = index * table.EntrySize;
        int at = (int)(position % PieceLength);
        lock (_lock)
        {
            Piece piece = Load(table, position);
            ref byte entry = ref piece.Bytes[at];
            if (table.EntrySize == sizeof(uint))
            {
                uint small = (uint)value;
                Volatile.Write(ref Unsafe.As<byte, uint>(ref entry), table.BigEndian ? BinaryPrimitives.ReverseEndianness(small) : small);
            }
            else
            {
                Volatile.Write(ref Unsafe.As<byte, ulong>(ref entry), table.BigEndian ? BinaryPrimitives.ReverseEndianness(value) : value);
            }

            if (piece.DirtyEnd == 0)
            {
                piece.DirtyStart = at;
                _dirty.Add(piece);
            }

            piece.DirtyStart = Math.Min(piece.DirtyStart, at);
            piece.DirtyEnd = Math.Max(piece.DirtyEnd, at + table.EntrySize);
        }
    }

    /// <summary>Takes a whole new table, empty, into the cache as if it had been read; the file sees it at <see cref="WriteBack"/>.</summary>
    public void AddEmpty(in EntryTable table)
    {
        lock (_lock)
        {
            for (long position = 0; position < table.Length; position += PieceLength)
            {
                Piece piece = new(table.Offset + position, (int)Math.Min(PieceLength, table.Length - position));
                piece.DirtyEnd = piece.Bytes.Length;
                if (_pieces.TryRemove(piece.Offset, out Piece? old))
                {
                    old.DirtyEnd = 0;
                    _dirty.Remove(old);
                }

                _pieces[piece.Offset] = piece;
                _byAge.Enqueue(piece);
                _dirty.Add(piece);
            }
        }
    }

    /// <summary>
    /// Shows what changed since the last write-back: ranges in the file's order, with their new bytes, which hold until the next change.
    /// </summary>
    public void Peek(Action<long, ReadOnlyMemory<byte>> show)
    {
        lock (_lock)
        {
            _dirty.Sort(static (a, b) => a.Offset.CompareTo(b.Offset));
            foreach (Piece piece in _dirty)
            {
                show(piece.Offset + piece.DirtyStart, piece.Bytes.AsMemory(piece.DirtyStart, piece.DirtyEnd - piece.DirtyStart));
            }
        }
    }

    /// <summary>Says that the file holds everything now.</summary>
    public void MarkClean()
    {
        lock (_lock)
        {
            _dirty.ForEach(static piece => piece.DirtyEnd = 0);
            _dirty.Clear();
        }
    }

    /// <summary>Writes what changed to the file.</summary>
    public void WriteBack()
    {
        lock (_lock)
        {
            Peek((offset, bytes) => file.Write(offset, bytes.Span));
            MarkClean();
        }
    }

    private Piece PieceAt(in EntryTable table, long position)
    {
        if (_pieces.TryGetValue(KeyOf(table, position), out Piece? piece) && piece.Bytes.Length >= LengthAt(table, position))
        {
            piece.Used = true;
            return piece;
        }

        lock (_lock)
        {
            return Load(table, position);
        }
    }

    private static long KeyOf(in EntryTable table, long position) => table.Offset + position / PieceLength * PieceLength;

    private static int LengthAt(in EntryTable table, long position) =>
        (int)Math.Min(PieceLength, table.Length - position / PieceLength * PieceLength);

    private Piece Load(in EntryTable table, long position)
    {
        long key = KeyOf(table, position);
        int length = LengthAt(table, position);
        if (_pieces.TryGetValue(key, out Piece? piece))
        {
            // Two tables of different length at one place: only in a broken image. The longer one is kept.
            if (piece.Bytes.Length >= length)
            {
                return piece;
            }

            if (piece.DirtyEnd > 0)
            {
                throw new ImageException(ImageErrorKind.Corrupt, file.Name, $"Tables overlap at offset {key:#,0}");
            }
        }

        MakeRoom();
        piece = new Piece(key, length);
        file.ReadExactly(key, piece.Bytes, table.Name);
        _pieces[key] = piece;
        _byAge.Enqueue(piece);
        return piece;
    }

    // The oldest goes first, but one that was used since it was last looked at gets a second turn; a changed one stays.
    private void MakeRoom()
    {
        for (int looks = _byAge.Count * 2; _byAge.Count >= capacity && looks > 0; looks--)
        {
            Piece oldest = _byAge.Dequeue();
            if (oldest.Used || oldest.DirtyEnd > 0)
            {
                oldest.Used = false;
                _byAge.Enqueue(oldest);
            }
            else
            {
                _pieces.TryRemove(new KeyValuePair<long, Piece>(oldest.Offset, oldest));
            }
        }
    }

    private sealed class Piece(long offset, int length)
    {
        public long Offset => offset;

        public byte[] Bytes { get; } = new byte[length];

        public bool Used { get; set; }

        public int DirtyStart { get; set; }

        /// <summary>0 where nothing changed.</summary>
        public int DirtyEnd { get; set; }
    }
}
