using System.Buffers;
using System.Runtime.InteropServices;
using ImageCluster.Imaging.Formats.Filling;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Qcow2;

/// <summary>
/// A shard of a new image while it is filled: its L2 tables, and what it occupies. An L2 table takes its room when the first cluster that it maps is wanted,
/// then the clusters take theirs, as with QEMU. One thread at a time may reserve; the caller sees to it.
/// </summary>
internal sealed class FillShard
{
    private readonly FillShape _shape;
    private readonly Layout _layout;
    private readonly long _start;
    private readonly ulong[]?[] _tables;
    private readonly long[] _tableOffsets;
    private readonly ClusterRanges _clusters = new();
    private readonly ClusterRanges _packed = new();
    private long _dataBytes;
    private bool _marksZeroes;

    /// <param name="shape">The image.</param>
    /// <param name="shard">The shard's number.</param>
    /// <param name="preallocated">The tables as preallocation filled them, in the order of the guest; null where there is none.</param>
    public FillShard(FillShape shape, long shard, NewImage? preallocated)
    {
        _shape = shape;
        _layout = shape.Layout;
        _start = shard * shape.ShardLength;
        Number = shard;
        long end = Math.Min(_start + shape.ShardLength, shape.VirtualSize);
        int count = (int)RefcountMath.DivideUp(end - _start, _layout.L2TableSpan);
        _tables = new ulong[]?[count];
        _tableOffsets = new long[count];
        if (preallocated is not null)
        {
            for (int i = 0; i < count; i++)
            {
                int index = _layout.L1Index(_start) + i;
                _tables[i] = RentTable();
                preallocated.FillTable(index, Words(i));
                _tableOffsets[i] = preallocated.TableOffset(index);
            }
        }

        IsPreallocated = preallocated is not null;
    }

    public long Number { get; }

    private bool IsPreallocated { get; }

    /// <summary>Gives every piece of a prepared run its host offset; a piece whose room is not in one place becomes several.</summary>
    public void Reserve(FillRun run, IRoom room)
    {
        for (int i = 0; i < run.Pieces.Count; i++)
        {
            FillPiece piece = run.Pieces[i];
            long guest = run.Offset + piece.Start;
            switch (piece.Kind)
            {
                case FillPieceKind.Compressed:
                    piece.HostOffset = ReserveCompressed(guest, piece.PayloadLength, room);
                    _dataBytes += piece.PayloadLength;
                    break;
                case FillPieceKind.Zero when _shape.HasZeroFlag:
                    MarkZero(guest, piece.Length, room);
                    piece.HostOffset = -1;
                    break;
                default:
                    int length = ReserveData(guest, piece.Length, room, out piece.HostOffset);
                    _dataBytes += length;
                    if (length < piece.Length)
                    {
                        run.Pieces.Insert(i + 1, piece with
                        {
                            Start = piece.Start + length,
                            Length = piece.Length - length,
                            PayloadStart = piece.PayloadStart + length,
                            PayloadLength = piece.PayloadLength - length,
                        });
                        piece.Length = length;
                        piece.PayloadLength = length;
                    }

                    break;
            }

            run.Pieces[i] = piece;
        }
    }

    /// <summary>Writes the tables and says what the shard occupies; null where it holds nothing.</summary>
    public ShardManifest? Close(IBlockFile file)
    {
        bool empty = true;
        for (int i = 0; i < _tables.Length; i++)
        {
            if (_tables[i] is not { } table)
            {
                continue;
            }

            empty = false;
            if (!IsPreallocated || _layout.HasSubclusters || _marksZeroes)
            {
                file.Write(_tableOffsets[i], MemoryMarshal.AsBytes(Words(i)));
            }

            ArrayPool<ulong>.Shared.Return(table);
            _tables[i] = null;
        }

        return empty ? null : new ShardManifest(Number, _tableOffsets, Rooms(), _dataBytes);
    }

    private List<RoomExtent> Rooms()
    {
        List<RoomExtent> rooms = [];
        foreach ((long start, long end) in _clusters.Ranges)
        {
            rooms.Add(new RoomExtent(start, end - start));
        }

        foreach ((long start, long end) in _packed.Ranges)
        {
            rooms.Add(new RoomExtent(start, end - start, References: 0));
        }

        rooms.Sort((a, b) => a.Start.CompareTo(b.Start));
        return rooms;
    }

    private Span<ulong> Words(int table) => _tables[table].AsSpan(0, _layout.ClusterSize / sizeof(ulong));

    private ulong[] RentTable()
    {
        ulong[] words = ArrayPool<ulong>.Shared.Rent(_layout.ClusterSize / sizeof(ulong));
        words.AsSpan().Clear();
        return words;
    }

    // The table that maps a guest offset, with room of its own; words are big-endian, as they will be written.
    private Span<ulong> TableOf(long guest, IRoom room)
    {
        int index = (int)((guest - _start) >> _layout.L2TableShift);
        if (_tables[index] is null)
        {
            _tableOffsets[index] = room.Reserve(_layout.ClusterSize, _layout.ClusterSize);
            _clusters.Add(_tableOffsets[index], _tableOffsets[index] + _layout.ClusterSize);
            _tables[index] = RentTable();
        }

        return Words(index);
    }

    // Room for guest bytes from one place on, as far as it is in one piece of the file. Returns how far.
    private int ReserveData(long guest, int length, IRoom room, out long hostOffset)
    {
        int inCluster = _layout.OffsetInCluster(guest);
        hostOffset = -1;
        int done = 0;
        while (done < length)
        {
            long at = guest + done;
            Span<ulong> table = TableOf(at, room);
            int index = _layout.L2Index(at);
            int clusters = (int)Math.Min(
                RefcountMath.DivideUp(_layout.OffsetInCluster(at) + (length - done), _layout.ClusterSize),
                _layout.L2Entries - index);
            int count = ClustersAlike(table, index, clusters, out long host);
            if (host < 0)
            {
                host = ReserveClusters(at - _layout.OffsetInCluster(at), count, room);
                SetHosts(table, index, count, host);
            }

            host += _layout.OffsetInCluster(at);
            if (done == 0)
            {
                hostOffset = host;
            }
            else if (host != hostOffset + done)
            {
                // Taken, but not where this piece goes on: the next piece finds it.
                break;
            }

            done = (int)Math.Min(length, ((long)count << _layout.ClusterBits) - _layout.OffsetInCluster(at) + done);
        }

        if (_layout.HasSubclusters)
        {
            MarkSubclusters(guest, done, zero: false, room);
        }

        return done;
    }

    // How many entries from one on are either without a host cluster or have host clusters in a row.
    private int ClustersAlike(ReadOnlySpan<ulong> table, int index, int clusters, out long host)
    {
        int words = _layout.L2EntryWords;
        ulong first = L2Table.FromRaw(table[index * words]);
        bool has = (first & Layout.CopiedFlag) != 0;
        host = has ? (long)(first & Layout.OffsetMask) : -1;
        int count = 1;
        for (; count < clusters; count++)
        {
            ulong entry = L2Table.FromRaw(table[(index + count) * words]);
            bool alike = has
                ? (entry & Layout.CopiedFlag) != 0 && (long)(entry & Layout.OffsetMask) == host + ((long)count << _layout.ClusterBits)
                : (entry & Layout.CopiedFlag) == 0;
            if (!alike)
            {
                break;
            }
        }

        return count;
    }

    private long ReserveClusters(long guestCluster, int count, IRoom room)
    {
        if (_shape.HasDataFile)
        {
            return guestCluster;
        }

        long length = (long)count << _layout.ClusterBits;
        long host = room.Reserve(length, _layout.ClusterSize);
        _clusters.Add(host, host + length);
        return host;
    }

    private void SetHosts(Span<ulong> table, int index, int count, long host)
    {
        int words = _layout.L2EntryWords;
        for (int i = 0; i < count; i++)
        {
            table[(index + i) * words] = L2Table.FromRaw((ulong)host | Layout.CopiedFlag);
            host += _layout.ClusterSize;
        }
    }

    private long ReserveCompressed(long guest, int length, IRoom room)
    {
        Span<ulong> table = TableOf(guest, room);
        long host = _shape.Packs(room)
            ? room.Reserve(length, 1)
            : room.Reserve(RefcountMath.DivideUp(length, _layout.ClusterSize) << _layout.ClusterBits, _layout.ClusterSize);
        _packed.Add(host, host + length);
        ulong sectors = (ulong)(((host + length - 1) >> 9) - (host >> 9));
        table[_layout.L2Index(guest) * _layout.L2EntryWords] =
            L2Table.FromRaw((ulong)host | Layout.CompressedFlag | (sectors << _layout.CompressedSectorsShift));
        return host;
    }

    private void MarkZero(long guest, int length, IRoom room)
    {
        if (_layout.HasSubclusters)
        {
            MarkSubclusters(guest, length, zero: true, room);
            return;
        }

        _marksZeroes = true;
        for (long at = guest; at < guest + length; at += _layout.ClusterSize)
        {
            Span<ulong> table = TableOf(at, room);
            table[_layout.L2Index(at)] |= L2Table.FromRaw(Layout.ZeroFlag);
        }
    }

    // Sets the bits of subclusters: they hold data in the host cluster, or read as zeros.
    private void MarkSubclusters(long guest, int length, bool zero, IRoom room)
    {
        long end = guest + length;
        for (long at = guest; at < end;)
        {
            long clusterEnd = Math.Min(end, at - _layout.OffsetInCluster(at) + _layout.ClusterSize);
            int first = _layout.OffsetInCluster(at) >> _layout.SubclusterBits;
            int behind = (int)RefcountMath.DivideUp(clusterEnd - (at - _layout.OffsetInCluster(at)), _layout.SubclusterSize);
            uint bits = (uint)(((1UL << behind) - 1) & ~((1UL << first) - 1));
            ref ulong word = ref TableOf(at, room)[(2 * _layout.L2Index(at)) + 1];
            ulong set = zero ? (ulong)bits << 32 : bits;
            ulong clear = zero ? bits : (ulong)bits << 32;
            word = L2Table.FromRaw((L2Table.FromRaw(word) | set) & ~clear);
            at = clusterEnd;
        }
    }
}
