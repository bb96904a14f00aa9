using ImageCluster.Imaging.Formats.Filling;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Raw;

/// <summary>Fills a raw image: every byte has its place, so reserving and publishing cost nothing.</summary>
/// <param name="file">The image; owned.</param>
/// <param name="virtualSize">Bytes of the guest's disk.</param>
/// <param name="isZero">It reads as zeros where nothing has been written.</param>
internal sealed class RawFill(IBlockFile file, long virtualSize, bool isZero) : IFillTarget, IRangeTarget
{
    public long VirtualSize => virtualSize;

    public int Granularity => 512;

    public long ShardLength => 512L << 20;

    public int PreferredRunLength => 256 << 10;

    public bool ShardsIndependent => true;

    public bool UnwrittenIsZero => isZero;

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
            file.WriteZeroes(run.Offset, run.Length, ZeroMode.MayUnmap);
            return;
        }

        foreach (FillPiece piece in run.Pieces)
        {
            if (piece.Kind == FillPieceKind.Zero)
            {
                file.WriteZeroes(run.Offset + piece.Start, piece.Length, ZeroMode.MayUnmap);
            }
            else
            {
                file.Write(run.Offset + piece.Start, run.Payload(piece));
            }
        }
    }

    public (IBlockFile File, long Offset) PlaceOf(long guestOffset) => (file, guestOffset);

    public ShardManifest? CloseShard(long shard) => new(shard, [], [], 0);

    public void Publish(ShardManifest manifest)
    {
    }

    public void Flush() => file.Flush();

    public void Finish() => file.Flush();

    public void Dispose() => file.Dispose();
}
