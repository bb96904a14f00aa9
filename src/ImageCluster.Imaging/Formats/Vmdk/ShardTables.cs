using System.Buffers.Binary;
using System.Runtime.InteropServices;
using ImageCluster.Imaging.Formats.Filling;

namespace ImageCluster.Imaging.Formats.Vmdk;

/// <summary>The grain tables of a shard while it is filled. Threads map different grains at once.</summary>
/// <param name="tableCount">Tables that the shard's range needs.</param>
internal sealed class ShardTables(int tableCount)
{
    private readonly uint[] _entries = new uint[tableCount * VmdkLimits.GrainTableEntries];
    private readonly List<RoomExtent> _rooms = [];
    private readonly Lock _gate = new();

    /// <summary>Payload, bytes.</summary>
    public long DataBytes { get; private set; }

    public void AddRoom(long start, long length, long dataBytes)
    {
        lock (_gate)
        {
            DataBytes += dataBytes;
            if (_rooms.Count > 0 && _rooms[^1] is var last && last.Start + last.Length == start)
            {
                _rooms[^1] = last with { Length = last.Length + length };
            }
            else
            {
                _rooms.Add(new RoomExtent(start, length));
            }
        }
    }

    /// <summary>Room taken, in host order.</summary>
    public IReadOnlyList<RoomExtent> Rooms()
    {
        lock (_gate)
        {
            List<RoomExtent> sorted = [.. _rooms.OrderBy(static room => room.Start)];
            List<RoomExtent> merged = [];
            foreach (RoomExtent room in sorted)
            {
                if (merged.Count > 0 && merged[^1].Start + merged[^1].Length == room.Start)
                {
                    merged[^1] = merged[^1] with { Length = merged[^1].Length + room.Length };
                }
                else
                {
                    merged.Add(room);
                }
            }

            return merged;
        }
    }

    /// <summary>Maps grains that stand one after the other in the file. Offsets in bytes, <paramref name="guest"/> from the shard's start.</summary>
    public void Map(long guest, long length, long host)
    {
        Span<uint> entries = EntriesOf(guest, length);
        uint sector = (uint)(host / VmdkLimits.SectorSize);
        for (int i = 0; i < entries.Length; i++)
        {
            entries[i] = sector + ((uint)i * SparseLayout.GrainSectors);
        }
    }

    /// <summary>Maps grains that read as zeros (header flag <see cref="SparseFlags.ZeroedGrains"/>).</summary>
    public void MapZero(long guest, long length) => EntriesOf(guest, length).Fill((uint)GrainTable.Zero);

    /// <summary>The tables as they stand in the file, one after the other.</summary>
    public ReadOnlySpan<byte> ToBytes()
    {
        if (!BitConverter.IsLittleEndian)
        {
            BinaryPrimitives.ReverseEndianness(_entries, _entries);
        }

        return MemoryMarshal.AsBytes(_entries);
    }

    private Span<uint> EntriesOf(long guest, long length) =>
        _entries.AsSpan((int)(guest / SparseLayout.GrainBytes), (int)VmdkLimits.DivideUp(length, SparseLayout.GrainBytes));
}
