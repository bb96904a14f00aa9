using System.Buffers;
using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using ImageCluster.Imaging.Compression;
using ImageCluster.Imaging.Formats.Filling;

namespace ImageCluster.Imaging.Formats.Vmdk;

/// <summary>
/// Fills a stream-optimized disk as VMware lays it out (specification 1.1): grains in guest order, each compressed behind its
/// marker; each grain table behind its grains; then directory, footer and end-of-stream marker. (qemu-img puts the directory
/// first, which readers of streams refuse.) The header, which says that the directory is at the end, is written last.
/// </summary>
internal sealed class FillStream : IFillTarget
{
    private const int TableRecord = VmdkLimits.SectorSize + SparseLayout.TableBytes;

    private readonly NewDisk _disk;
    private readonly NewExtent _extent;
    private readonly IClusterCodec _codec;
    private readonly bool _zeroedGrains;
    private readonly Dictionary<long, uint[]> _openTables = [];
    private readonly ConcurrentQueue<ClosedTable> _closedTables = new();
    private readonly uint[] _directory;
    private readonly Lock _gate = new();
    private long _firstOpen;

    public FillStream(NewDisk disk)
    {
        _disk = disk;
        _extent = disk.Extents[0];
        _codec = ClusterCodecs.Zlib(_extent.File.Name);
        _zeroedGrains = disk.Settings.ZeroedGrains;
        _directory = new uint[SparseLayout.TablesFor(VirtualSize)];
        Room = new SequentialRoom(_extent.File.Name, SparseLayout.GrainBytes);
    }

    public long VirtualSize => _disk.Settings.Size;

    public int Granularity => SparseLayout.GrainBytes;

    public long ShardLength => 16 * SparseLayout.TableSpan;

    public int PreferredRunLength => 256 << 10;

    public bool ShardsIndependent => false;

    public bool UnwrittenIsZero => _disk.Settings.BackingFile is null;

    /// <summary>The file's end. Nobody else hands it out: a stream is one process's work.</summary>
    public IRoom Room { get; }

    public void Prepare(FillRun run)
    {
        if (run.ExplicitZero)
        {
            run.Pieces.Add(new FillPiece { Kind = FillPieceKind.Zero, Length = run.Length });
        }
        else
        {
            SparseCutter.Cut(run, Granularity);
        }

        List<FillPiece> stretches = [.. run.Pieces];
        run.Pieces.Clear();
        int used = 0;
        foreach (FillPiece stretch in stretches)
        {
            if (stretch.Kind == FillPieceKind.Zero && (UnwrittenIsZero || _zeroedGrains))
            {
                run.Pieces.Add(stretch);
                continue;
            }

            for (int start = stretch.Start; start < stretch.Start + stretch.Length; start += Granularity)
            {
                used += Compress(run, start, stretch.Kind == FillPieceKind.Zero, used);
            }
        }
    }

    /// <summary>Takes room for the run's grains, which stand one after the other, and for the tables that are complete by now.</summary>
    /// <exception cref="InvalidOperationException">The run lies before one whose table is closed: runs come in guest order.</exception>
    public void Reserve(FillRun run, IRoom room)
    {
        lock (_gate)
        {
            long table = run.Offset / SparseLayout.TableSpan;
            if (table < _firstOpen)
            {
                throw new InvalidOperationException("A stream is filled in guest order.");
            }

            CloseTables(table);
            int total = run.Pieces.Sum(static piece => piece.PayloadLength);
            long host = total > 0 ? Room.Reserve(total, VmdkLimits.SectorSize) : 0;
            foreach (ref FillPiece piece in CollectionsMarshal.AsSpan(run.Pieces))
            {
                long grain = (run.Offset + piece.Start) / Granularity;
                if (piece.Kind == FillPieceKind.Compressed)
                {
                    piece.HostOffset = host;
                    Entry(grain) = (uint)(host / VmdkLimits.SectorSize);
                    host += piece.PayloadLength;
                }
                else if (!UnwrittenIsZero)
                {
                    for (long end = grain + VmdkLimits.DivideUp(piece.Length, Granularity); grain < end; grain++)
                    {
                        Entry(grain) = (uint)GrainTable.Zero;
                    }
                }
            }
        }
    }

    public void Write(FillRun run)
    {
        while (_closedTables.TryDequeue(out ClosedTable table))
        {
            _extent.File.Write(table.Offset, table.Record);
        }

        // Records stand one after the other in the run's room as in the file: one write.
        int total = 0;
        long host = 0;
        foreach (FillPiece piece in run.Pieces)
        {
            if (piece.Kind == FillPieceKind.Compressed)
            {
                host = total == 0 ? piece.HostOffset : host;
                total += piece.PayloadLength;
            }
        }

        if (total > 0)
        {
            _extent.File.Write(host, run.CompressedRoom(total)[..total]);
        }

        _extent.Touch();
    }

    /// <summary>A stream has no tables of a shard's own: what lies where is known to this target alone until it is finished.</summary>
    public ShardManifest? CloseShard(long shard) => new(shard, [], [], 0);

    public void Publish(ShardManifest manifest)
    {
    }

    public void Flush() => _disk.Flush();

    public void Finish()
    {
        CloseTables(long.MaxValue);
        while (_closedTables.TryDequeue(out ClosedTable table))
        {
            _extent.File.Write(table.Offset, table.Record);
        }

        int directoryBytes = (int)VmdkLimits.RoundUp(_directory.Length * (long)sizeof(uint), VmdkLimits.SectorSize);
        byte[] tail = new byte[VmdkLimits.SectorSize + directoryBytes + (3 * VmdkLimits.SectorSize)];
        long start = Room.Reserve(tail.Length, VmdkLimits.SectorSize);
        StreamMarker.Write(tail, StreamMarkerKind.GrainDirectory, directoryBytes / VmdkLimits.SectorSize);
        for (int i = 0; i < _directory.Length; i++)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(tail.AsSpan(VmdkLimits.SectorSize + (i * sizeof(uint))), _directory[i]);
        }

        SparseHeader header = Header(SparseHeader.DirectoryAtEnd);
        Span<byte> end = tail.AsSpan(VmdkLimits.SectorSize + directoryBytes);
        StreamMarker.Write(end, StreamMarkerKind.Footer, 1);
        Header((ulong)(start / VmdkLimits.SectorSize) + 1).Write(end[VmdkLimits.SectorSize..]);
        StreamMarker.Write(end[(2 * VmdkLimits.SectorSize)..], StreamMarkerKind.EndOfStream, 0);
        _extent.File.Write(start, tail);
        _extent.Touch();
        _disk.Complete(header);
    }

    public void Dispose()
    {
        _codec.Dispose();
        _disk.Dispose();
    }

    private SparseHeader Header(ulong directory) => new()
    {
        Version = 3,
        Flags = SparseFlags.NewlineTest | SparseLayout.FlagsOf(_disk.Settings),
        Capacity = (ulong)(VirtualSize / VmdkLimits.SectorSize),
        DescriptorOffset = SparseLayout.DescriptorSector,
        DescriptorSize = SparseLayout.DescriptorSectors,
        DirectoryOffset = directory,
        GrainOffset = SparseLayout.GrainSectors,
        CompressAlgorithm = SparseHeader.Deflate,
    };

    // Returns the record's length. The disk's last grain is filled up with zeros: grains are whole.
    private int Compress(FillRun run, int start, bool zeros, int used)
    {
        int length = Math.Min(Granularity, run.Length - start);
        Span<byte> target = run.CompressedRoom(used + CompressedGrains.MaxRecordOf(Granularity))[used..];
        long guestSector = (run.Offset + start) / VmdkLimits.SectorSize;
        int record;
        if (!zeros && length == Granularity)
        {
            record = CompressedGrains.WriteRecord(_codec, run.Data.Slice(start, length), guestSector, target);
        }
        else
        {
            byte[] grain = ArrayPool<byte>.Shared.Rent(Granularity);
            grain.AsSpan(0, Granularity).Clear();
            if (!zeros)
            {
                run.Data.Slice(start, length).CopyTo(grain);
            }

            record = CompressedGrains.WriteRecord(_codec, grain.AsSpan(0, Granularity), guestSector, target);
            ArrayPool<byte>.Shared.Return(grain);
        }

        run.Pieces.Add(new FillPiece { Kind = FillPieceKind.Compressed, Start = start, Length = length, PayloadStart = used, PayloadLength = record });
        return record;
    }

    private ref uint Entry(long grain)
    {
        long table = grain / VmdkLimits.GrainTableEntries;
        ref uint[]? entries = ref CollectionsMarshal.GetValueRefOrAddDefault(_openTables, table, out _);
        entries ??= new uint[VmdkLimits.GrainTableEntries];
        return ref entries[grain % VmdkLimits.GrainTableEntries];
    }

    // Tables before `end` get no more grains. Each is written behind a marker, by whoever writes next.
    private void CloseTables(long end)
    {
        foreach (long table in _openTables.Keys.Where(table => table < end).Order().ToArray())
        {
            _openTables.Remove(table, out uint[]? entries);
            byte[] record = new byte[TableRecord];
            StreamMarker.Write(record, StreamMarkerKind.GrainTable, SparseLayout.TableBytes / VmdkLimits.SectorSize);
            for (int i = 0; i < entries!.Length; i++)
            {
                BinaryPrimitives.WriteUInt32LittleEndian(record.AsSpan(VmdkLimits.SectorSize + (i * sizeof(uint))), entries[i]);
            }

            long offset = Room.Reserve(TableRecord, VmdkLimits.SectorSize);
            _directory[table] = (uint)(offset / VmdkLimits.SectorSize) + 1;
            _closedTables.Enqueue(new ClosedTable(offset, record));
        }

        _firstOpen = Math.Max(_firstOpen, end == long.MaxValue ? _firstOpen : end);
    }

    private readonly record struct ClosedTable(long Offset, byte[] Record);
}
