using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Filling;

/// <summary>
/// An image that is there already, filled by writing in place (<c>convert -n</c>, devices, restores): the layer's own writer does what
/// reserving and publishing do for a new image. Owns the disk.
/// </summary>
public sealed class InPlaceTarget(LayeredDisk disk) : IFillTarget
{
    public long VirtualSize => disk.VirtualSize;

    public int Granularity => (int)Math.Clamp(disk.Top.Granularity, 512, 2 << 20);

    public long ShardLength => 512L << 20;

    public int PreferredRunLength => Math.Max(1 << 20, Granularity);

    public bool ShardsIndependent => false;

    public bool UnwrittenIsZero => false;

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
        if (run.ExplicitZero)
        {
            disk.WriteZeroes(run.Offset, run.Length, ZeroMode.MayUnmap);
            return;
        }

        foreach (FillPiece piece in run.Pieces)
        {
            if (piece.Kind == FillPieceKind.Zero)
            {
                disk.WriteZeroes(run.Offset + piece.Start, piece.Length, ZeroMode.MayUnmap);
            }
            else
            {
                disk.Write(run.Offset + piece.Start, run.Payload(piece));
            }
        }
    }

    public ShardManifest? CloseShard(long shard) => null;

    public void Publish(ShardManifest manifest)
    {
    }

    public void Flush() => disk.Flush();

    public void Finish() => disk.Flush();

    public void Dispose() => disk.Dispose();
}
