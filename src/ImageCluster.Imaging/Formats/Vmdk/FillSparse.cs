using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using ImageCluster.Imaging.Formats.Filling;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Vmdk;

/// <summary>
/// Fills sparse extents. The tables have their places beforehand, so a shard's owner writes them alone and publishing costs nothing. In one
/// file a shard is what 16 tables map; of a split disk a shard is an extent, whose file, and room, belong to that shard alone.
/// </summary>
internal sealed class FillSparse : IFillTarget
{
    private const long SharedShardLength = 16 * SparseLayout.TableSpan;

    private readonly NewDisk _disk;
    private readonly SequentialRoom[] _rooms;
    private readonly bool _split;
    private readonly bool _zeroedGrains;
    private readonly ConcurrentDictionary<long, ShardTables> _open = new();

    public FillSparse(NewDisk disk)
    {
        _disk = disk;
        _split = disk.Settings.Split;
        _zeroedGrains = disk.Settings.ZeroedGrains;
        _rooms = [.. disk.Extents.Select(extent => new SequentialRoom(extent.File.Name, extent.Layout!.GrainOffset))];
        Room = _split ? NoRoom.Instance : _rooms[0];
    }

    public long VirtualSize => _disk.Settings.Size;

    public int Granularity => SparseLayout.GrainBytes;

    public long ShardLength => _split ? _disk.Settings.ExtentBytes : SharedShardLength;

    public int PreferredRunLength => 256 << 10;

    public bool ShardsIndependent => true;

    public bool UnwrittenIsZero => _disk.Settings.BackingFile is null;

    /// <summary>The one file's room. The files of a split disk have rooms of their own, which nobody else can hand out.</summary>
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
    }

    public void Reserve(FillRun run, IRoom room)
    {
        long shard = run.Offset / ShardLength;
        room = _split ? _rooms[shard] : room;
        ShardTables tables = _open.GetOrAdd(shard, static (number, self) => self.NewTables(number), this);
        foreach (ref FillPiece piece in CollectionsMarshal.AsSpan(run.Pieces))
        {
            if (piece.Kind == FillPieceKind.Zero && (UnwrittenIsZero || _zeroedGrains))
            {
                continue;
            }

            long length = VmdkLimits.RoundUp(piece.Length, Granularity);
            piece.HostOffset = room.Reserve(length, Granularity);
            if (piece.HostOffset + length > VmdkLimits.MaxFileBytes)
            {
                throw SequentialRoom.TooLarge(ExtentOf(shard).File.Name);
            }

            tables.AddRoom(piece.HostOffset, length, piece.Kind == FillPieceKind.Data ? piece.Length : 0);
        }
    }

    public void Write(FillRun run)
    {
        long shard = run.Offset / ShardLength;
        ShardTables tables = _open[shard];
        NewExtent extent = ExtentOf(shard);
        extent.Touch();
        foreach (FillPiece piece in run.Pieces)
        {
            long guest = run.Offset + piece.Start - (shard * ShardLength);
            if (piece.HostOffset > 0)
            {
                WritePiece(extent.File, run, piece);
                tables.Map(guest, piece.Length, piece.HostOffset);
            }
            else if (!UnwrittenIsZero)
            {
                tables.MapZero(guest, piece.Length);
            }
        }
    }

    public ShardManifest? CloseShard(long shard)
    {
        if (!_open.TryRemove(shard, out ShardTables? tables))
        {
            return null;
        }

        NewExtent extent = ExtentOf(shard);
        long first = _split ? 0 : shard * (SharedShardLength / SparseLayout.TableSpan);
        ReadOnlySpan<byte> bytes = tables.ToBytes();
        extent.File.Write(extent.Layout!.RedundantTableOffset(first), bytes);
        extent.File.Write(extent.Layout.TableOffset(first), bytes);
        extent.Touch();

        // Rooms are the one file's; nobody but the shard itself hands out a split disk's.
        return new ShardManifest(shard, [], _split ? [] : tables.Rooms(), tables.DataBytes);
    }

    public void Publish(ShardManifest manifest)
    {
    }

    public void Flush() => _disk.Flush();

    public void Finish() => _disk.Complete();

    public void Dispose() => _disk.Dispose();

    private static void WritePiece(IBlockFile file, FillRun run, in FillPiece piece)
    {
        int written = 0;
        if (piece.Kind == FillPieceKind.Data)
        {
            file.Write(piece.HostOffset, run.Payload(piece));
            written = piece.Length;
        }

        // Zeros that must be stated, and the rest of the disk's last grain: grains are whole.
        long rest = VmdkLimits.RoundUp(piece.Length, SparseLayout.GrainBytes) - written;
        if (rest > 0)
        {
            file.WriteZeroes(piece.HostOffset + written, rest, ZeroMode.MayUnmap);
        }
    }

    private NewExtent ExtentOf(long shard) => _disk.Extents[_split ? (int)shard : 0];

    private ShardTables NewTables(long shard)
    {
        long length = Math.Min(ShardLength, VirtualSize - (shard * ShardLength));
        return new ShardTables((int)SparseLayout.TablesFor(length));
    }
}
