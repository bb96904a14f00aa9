namespace ImageCluster.Imaging.Formats.Filling;

/// <summary>
/// What targets have in common in which every guest byte has its place beforehand: no room to reserve, nothing to publish, and shards that any process
/// may fill.
/// </summary>
/// <param name="virtualSize">Bytes.</param>
internal abstract class PlacedFill(long virtualSize) : IFillTarget
{
    public long VirtualSize => virtualSize;

    public int Granularity => 512;

    public virtual long ShardLength => 512L << 20;

    public int PreferredRunLength => 256 << 10;

    public virtual bool ShardsIndependent => true;

    public abstract bool UnwrittenIsZero { get; }

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
            WriteZeroes(run.Offset, run.Length);
            return;
        }

        foreach (FillPiece piece in run.Pieces)
        {
            if (piece.Kind == FillPieceKind.Zero)
            {
                WriteZeroes(run.Offset + piece.Start, piece.Length);
            }
            else
            {
                Write(run.Offset + piece.Start, run.Payload(piece));
            }
        }
    }

    public virtual ShardManifest? CloseShard(long shard) => new(shard, [], [], 0);

    public void Publish(ShardManifest manifest)
    {
    }

    public abstract void Flush();

    public abstract void Finish();

    public abstract void Dispose();

    /// <summary>Writes guest bytes, which lie in one shard, to their place.</summary>
    protected abstract void Write(long offset, ReadOnlySpan<byte> data);

    /// <summary>Makes guest bytes of one shard read as zeros.</summary>
    protected abstract void WriteZeroes(long offset, long length);
}
