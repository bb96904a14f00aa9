using ImageCluster.Imaging.Formats.Filling;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Vmdk;

/// <summary>Fills flat extents: every guest byte has its place.</summary>
internal sealed class FillFlat(NewDisk disk) : IFillTarget
{
    public long VirtualSize => disk.Settings.Size;

    public int Granularity => VmdkLimits.SectorSize;

    /// <summary>Divides an extent of 2 GiB, so that no shard lies in two files.</summary>
    public long ShardLength => 512L << 20;

    public int PreferredRunLength => 256 << 10;

    public bool ShardsIndependent => true;

    public bool UnwrittenIsZero => disk.Extents.All(static extent => extent.File.CanResize);

    public bool ReservesRoom => false;

    public IRoom Room => NoRoom.Instance;

    public void Prepare(FillRun run)
    {
        if (!run.ExplicitZero)
        {
            SparseCutter.Cut(run, Granularity);
        }
    }

    public void Reserve(FillRun run, IRoom room)
    {
    }

    public void Write(FillRun run)
    {
        NewExtent extent = disk.Extents[(int)(run.Offset / disk.Settings.ExtentBytes)];
        long host = run.Offset - extent.Start;
        extent.Touch();
        if (run.ExplicitZero)
        {
            extent.File.WriteZeroes(host, run.Length, ZeroMode.MayUnmap);
            return;
        }

        foreach (FillPiece piece in run.Pieces)
        {
            if (piece.Kind == FillPieceKind.Zero)
            {
                extent.File.WriteZeroes(host + piece.Start, piece.Length, ZeroMode.MayUnmap);
            }
            else
            {
                extent.File.Write(host + piece.Start, run.Payload(piece));
            }
        }
    }

    public ShardManifest? CloseShard(long shard) => new(shard, [], [], 0);

    public void Publish(ShardManifest manifest)
    {
    }

    public void Flush() => disk.Flush();

    public void Finish() => disk.Complete();

    public void Dispose() => disk.Dispose();
}
